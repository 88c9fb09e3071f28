"""Where deviations were seen, for the sources that several entries name.

Other sources are written out in their entry: `transformers#340` is issue or pull request 340 of
github.com/huggingface/transformers, and so for `accelerate`; `pytorch#36998` is of
github.com/pytorch/pytorch; one of any other project is `OWNER/NAME#310` of github.com/OWNER/NAME.
Several are joined by "; ".
"""

COURSE = (
    'Hugging Face\'s course, chapter 3, "A full training" '
    "(https://huggingface.co/learn/llm-course/chapter3/4)"
)
RUN_GLUE = "transformers' examples/pytorch/text-classification/run_glue.py"
ACCELERATE_EXAMPLE = "Accelerate's examples/nlp_example.py"
NO_REPORT = "no public report known"
