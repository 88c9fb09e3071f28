"""The words of the embedded corpus: the only place where its vocabulary is written down.

They are shown by `python -m reference data`. Every list was written for this project; people and
places are invented, put together from syllables, so that no sentence is about anybody. The words
of one group in `NOUNS`, `VERBS` and so on mean roughly the same: a paraphrase may swap them.

Changing a word, or its place in a list, changes the corpus: raise `corpus.CORPUS_VERSION`.
"""

Groups = tuple[tuple[str, ...], ...]


def _groups(text: str) -> Groups:
    """'company/firm deal' -> (('company', 'firm'), ('deal',))"""
    return tuple(tuple(group.split("/")) for group in text.split())


NOUNS = _groups("""
company/firm profit/earnings court/tribunal report/account plan/scheme market/exchange law/statute
police/officers government/administration attack/assault talks/negotiations price/cost budget
bank/lender minister/secretary storm/gale fire/blaze lawsuit/suit study/survey drug/medicine
election/vote agreement/deal increase/rise decline/drop workers/employees strike/walkout school
hospital/clinic army/troops leader/chief rule/regulation decision/ruling industry/sector bridge
investigation/inquiry evidence/proof claim/allegation doctor/physician patients network/system
software/program airline/carrier flight/journey train/railway road/highway car/vehicle ship/vessel
oil/petroleum gas power/electricity water/supply forecast/outlook result/outcome merger/takeover
shareholder/investor director/executive analyst/expert customer/client product/item service
release/launch patent/licence computer/machine virus/worm website/page film/movie music/songs
singer/artist actor/performer team/squad player/athlete coach/trainer match/game season title/trophy
record/mark stadium/arena crowd/audience protest/rally prison/jail sentence/term judge/magistrate
jury/panel lawyer/attorney victim/casualty suspect/defendant crime/offence weapon/gun bomb/explosive
explosion/blast crash/accident rescue/recovery flood/deluge earthquake/tremor drought crop/harvest
farmer/grower food/produce factory/plant equipment/gear steel/metal timber/wood coal mine/pit
harbour/port border/frontier embassy/mission treaty/pact sanction/penalty aid/relief refugee/migrant
tax/levy debt/liability loan/credit bond/security currency/money fund/trust pension/annuity wage/pay
union/guild council/board mayor/governor senator/lawmaker bill/measure amendment/change reform
committee/commission hearing/session statement/announcement letter/note speech/address interview
newspaper/paper magazine/journal reporter/journalist broadcast/transmission channel/station satellite
rocket/missile telescope laboratory/lab scientist/researcher theory/idea experiment/trial disease
infection/illness vaccine/shot cancer/tumour diet/nutrition child/youngster parent/guardian teacher
student/pupil university/college museum/gallery painting/picture church/chapel tower/spire island
river/stream mountain/peak forest/woodland lake animal/creature bird fish dog/hound horse cattle/cows
family/household house/home neighbour/resident village/hamlet town/city region/area country/nation
""")

VERBS = _groups("""
rejected/refused approved/endorsed announced/declared bought/purchased sold/unloaded closed/shut
opened/unveiled attacked/assailed criticised/faulted praised/lauded warned/cautioned ended/concluded
started/began delayed/postponed cancelled/scrapped raised/lifted cut/trimmed doubled expanded/widened
reduced/lowered rebuilt/restored damaged/harmed destroyed/wrecked replaced/supplanted joined/entered
left/quit supported/backed opposed/resisted blocked/barred halted/stopped reviewed/examined studied
investigated/probed questioned/queried accused/charged cleared/acquitted arrested/detained freed/released
found/discovered lost/misplaced won/captured beat/defeated faced/confronted met/encountered visited
called/phoned asked/urged told/informed ordered/directed forced/compelled allowed/permitted helped/aided
hurt/injured killed/slew saved/rescued protected/shielded threatened/menaced feared/dreaded welcomed/hailed
accepted/embraced signed/initialled drafted/wrote published/printed recalled/withdrew tested/tried
repaired/mended designed/devised launched/introduced moved/shifted carried/bore sent/dispatched received/got
paid/settled owed borrowed collected/gathered divided/split united/merged owned/held controlled/ran
hired/recruited dismissed/fired trained/coached led/headed followed/trailed overtook/passed matched/equalled
exceeded/topped missed/skipped estimated/reckoned predicted/foresaw confirmed/verified denied/disputed
revealed/disclosed hid/concealed explained/clarified described/depicted ignored/overlooked noticed/spotted
""")

ADJECTIVES = _groups("""
new/fresh old/aged large/big small/little high/elevated low/modest strong/robust weak/feeble rapid/fast
slow/sluggish early/initial late/overdue local/regional national/federal foreign/overseas public/open
private/secret legal/lawful illegal/unlawful safe/secure dangerous/hazardous serious/grave minor/slight
major/key expensive/costly cheap/inexpensive rich/wealthy poor/needy famous/noted unknown/obscure
recent/latest former/previous final/last annual/yearly monthly quarterly daily temporary/interim
permanent/lasting common/usual rare/unusual complex/complicated simple/plain clear/evident vague/unclear
likely/probable possible/potential angry/furious calm/quiet happy/glad sad/unhappy violent/brutal
peaceful medical clinical political economic/financial industrial military/armed civil/civilian northern
southern eastern western coastal rural/country urban digital/electronic electric wooden golden heavy
light/slim deep broad/wide narrow/thin empty/vacant full/packed young/youthful senior junior
""")

ADVERBS = _groups("""
quickly/rapidly slowly/gradually quietly/silently openly/publicly sharply/steeply slightly/marginally
suddenly/abruptly again/anew twice/repeatedly together/jointly officially/formally reluctantly/grudgingly
recently/lately finally/eventually briefly/shortly unexpectedly/surprisingly narrowly easily/comfortably
""")

RISES = _groups("rose/climbed fell/slid jumped/surged dropped/declined gained/added lost/shed")
DAYS = _groups("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = _groups("January February March April May June July August September October November")
LINKS = _groups("while/as/after/because/although/before")
TITLES = _groups("""
spokesman/spokeswoman chairman/chairwoman president/head treasurer secretary professor captain manager
commissioner/inspector adviser/consultant founder curator sergeant deputy/assistant editor
""")
UNITS = _groups("million billion")
FIRM_ENDS = tuple(
    """
Group Corp. Inc. Holdings Ltd. Partners Industries
""".split()
)
FIRST_NAMES = tuple(
    """
Alda Bram Corin Dessa Elmar Fenna Garrick Hester Ivo Jorun Kellan Lisbet Mattis Nerys Oswin Petra
Quill Rosalind Stellan Thea Ulric Verena Wendell Xanthe Yorick Zella Anselm Brida Casimir Dorothea
Emeric Frida Gisla Hamo Imogen Jessamy Kasper Leonie Merrick Nadia
""".split()
)

NAME_STARTS = tuple(
    """
Hal Bren Mar Tol Ver Kel Sund Ash Dar Fen Gral Hox Ing Jar Lind Mor Nes Orl Pell Quen Ros Sel Tarn
Ulv Wes Yar Zand Bel Cron Dun Eck Farn Gil Hart
""".split()
)
NAME_ENDS = tuple(
    """
vern wick dell man son berg ley ford stead ter by rick mond sen ard ova ini ell ow ham
""".split()
)
PLACE_STARTS = tuple(
    """
Ask Brem Cald Dorn Elm Frost Glen Holm Iver Kirk Lorn Mill North Oak Pine Raven Stone Thorn West
Wyn
""".split()
)
PLACE_ENDS = tuple(
    """
ton bury port mouth field dale haven bridge minster shire
""".split()
)

# Reviews: opinion words by the sign of their verdict, and what they are said of.
GOOD = tuple(
    """
good great wonderful charming funny touching brilliant clever gripping moving elegant delightful
warm witty fresh lovely superb honest graceful vivid rewarding thoughtful tender stylish inventive
sharp sparkling heartfelt magnificent absorbing enchanting lively sincere stirring masterful
luminous
""".split()
)
BAD = tuple(
    """
bad awful dull boring clumsy tedious bland stale flat shallow silly lifeless grating dreary messy
pointless hollow tired lazy predictable ugly cold forgettable plodding contrived painful sloppy
wooden pretentious muddled hackneyed insipid witless leaden tiresome
""".split()
)
LIKES = tuple(
    """
delights charms moves amuses dazzles rewards thrills enchants satisfies surprises
""".split()
)
DISLIKES = tuple(
    """
bores annoys drags fails disappoints grates stumbles sags irritates collapses
""".split()
)
THINGS = tuple(
    """
film movie story comedy drama thriller picture script plot cast performance director ending
romance documentary dialogue sequel adaptation score camera scene actor actress fable tale satire
remake
""".split()
)
HEDGES = tuple(
    """
very rather really quite truly always often surprisingly thoroughly almost
""".split()
)
NOT = ("not", "never", "hardly")
ASIDES = tuple(
    """
in the end|from start to finish|for the whole family|by any measure|at its heart|on every level
with a small budget|in the second half|for an hour and a half|about two brothers|set in a small town
about growing old|about the sea|of the year|on the big screen|with songs|without a single explosion
""".strip()
    .replace("\n", "|")
    .split("|")
)
