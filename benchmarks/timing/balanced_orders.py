"""The orders in which several participants take their turns."""


def balanced(count: int) -> list[list[int]]:
    """The orders in which participants take one step each: for two, AB and BA.

    In all orders together each takes each place equally often, and follows each other equally
    often, since what ran before it decides what it finds in the caches. (Williams, "Experimental
    designs balanced for the estimation of residual effects of treatments", 1949.)

    Args:
        count: how many participants.

    Returns:
        `count` orders, or twice as many where it is odd; each has every index once.
    """
    zigzag = [(i + 1) // 2 if i % 2 else -(i // 2) % count for i in range(count)]
    orders = [[(place + shift) % count for place in zigzag] for shift in range(count)]
    return orders if count % 2 == 0 else orders + [order[::-1] for order in orders]
