"""Charts as SVG text: lines over categories, and bars."""

from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 44, 84
COLOURS = ("#d9480f", "#1c7ed6", "#2b8a3e", "#868e96", "#9c36b5", "#e8a200", "#0b7285")
FONT = 'font-family="sans-serif" font-size="12" fill="#333"'


def nice_steps(top, count=5):
    """Numbers from 0 to at least `top`, about `count` steps apart evenly."""
    rough = top / count if top > 0 else 1
    power = 10.0
    while power > rough:
        power /= 10
    while power * 10 <= rough:
        power *= 10
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    steps = [0.0]
    while steps[-1] < top:
        steps.append(steps[-1] + step)
    return steps


def number(value):
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:g}"


def text(x, y, words, anchor="middle", more=""):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT} {more}>{escape(words)}</text>'
    )


class Chart:
    def __init__(self, title, unit, categories, series, category_title=""):
        """`series`: {name: [value or None for each category]}."""
        self.categories = [str(it) for it in categories]
        self.series = {name: it for name, it in series.items() if any(v is not None for v in it)}
        top = max((v for it in self.series.values() for v in it if v is not None), default=1)
        self.steps = nice_steps(top)
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            text(LEFT, 18, title, "start", 'font-weight="bold"'),
            text(LEFT, 34, unit, "start"),
        ]
        for step in self.steps:
            y = self.y(step)
            self.parts.append(
                f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd" stroke-width="1"/>'
            )
            self.parts.append(text(LEFT - 6, y + 4, number(step), "end"))
        for index, category in enumerate(self.categories):
            self.parts.append(text(self.x(index), HEIGHT - BOTTOM + 16, category))
        self.parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 34, category_title))
        self.legend()

    def x(self, index):
        width = (WIDTH - LEFT - RIGHT) / max(1, len(self.categories))
        return LEFT + width * (index + 0.5)

    def y(self, value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.steps[-1]

    def legend(self):
        x, y = LEFT, HEIGHT - 28
        for name, colour in zip(self.series, COLOURS, strict=False):
            width = 30 + 7 * len(name)
            if x + width > WIDTH:
                x, y = LEFT, y + 18
            self.parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
            self.parts.append(text(x + 15, y, name, "start"))
            x += width

    def lines(self):
        for values, colour in zip(self.series.values(), COLOURS, strict=False):
            points = [
                (self.x(index), self.y(value))
                for index, value in enumerate(values)
                if value is not None
            ]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            self.parts.append(
                f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            )
            self.parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points
            ]
        return self.svg()

    def bars(self):
        slot = (WIDTH - LEFT - RIGHT) / max(1, len(self.categories)) * 0.8
        width = slot / max(1, len(self.series))
        for place, (values, colour) in enumerate(zip(self.series.values(), COLOURS, strict=False)):
            for index, value in enumerate(values):
                if value is None:
                    continue
                x, y = self.x(index) - slot / 2 + width * place, self.y(value)
                self.parts.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{width * 0.92:.1f}" '
                    f'height="{HEIGHT - BOTTOM - y:.1f}" fill="{colour}"/>'
                )
                self.parts.append(text(x + width * 0.46, y - 4, short(value)))
        return self.svg()

    def svg(self):
        return "\n".join([*self.parts, "</svg>\n"])


def short(value):
    if value >= 10_000:
        return f"{value / 1000:.0f}k"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
