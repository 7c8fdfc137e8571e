"""Makes a failing script shorter while it still fails in the same way."""

from dataclasses import replace


def shrink(script, fails):
    """The shortest script found for which `fails(script)` holds, as it does for this one."""
    before = None
    while script != before:
        before = script
        for step in (without_clients, without_turns, simpler_pool, simpler_turns):
            script = step(script, fails)
    return script


def without_clients(script, fails):
    for client in script.clients:
        candidate = script.with_turns(it for it in script.turns if it.client != client)
        if fails(candidate):
            script = candidate
    return script


def without_turns(script, fails):
    turns = without_parts(script.turns, lambda turns: fails(script.with_turns(turns)))
    return script.with_turns(turns)


def simpler_pool(script, fails):
    for change in ({"has_noise": False}, {"servers": 1}):
        candidate = replace(script, **change)
        if candidate != script and fails(candidate):
            script = candidate
    return script


def simpler_turns(script, fails):
    for index in reversed(range(len(script.turns))):

        def with_turn(turn, index=index):
            return script.with_turns(
                [*script.turns[:index], turn, *script.turns[index + 1 :]]
            )

        turn = script.turns[index]
        for change in ({"cuts": ()}, {"overlaps": False}, {"kill": (1.0, False)}):
            if "kill" in change and not turn.kill:
                continue
            candidate = replace(turn, **change)
            if candidate != turn and fails(with_turn(candidate)):
                turn = candidate
                script = with_turn(turn)
        messages = without_parts(
            turn.messages,
            lambda messages, turn=turn: fails(with_turn(replace(turn, messages=messages))),
        )
        script = with_turn(replace(turn, messages=messages))
    return script


def without_parts(parts, fails):
    """The tuple `parts` without what is not needed for `fails(parts)`; large pieces first."""
    size = max(1, len(parts) // 2)
    while True:
        start = 0
        while start < len(parts):
            candidate = parts[:start] + parts[start + size :]
            if fails(candidate):
                parts = candidate
            else:
                start += size
        if size == 1:
            return parts
        size //= 2
