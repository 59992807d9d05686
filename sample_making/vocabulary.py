"""The words and templates behind ``sentences``: data only.

``SLOTS`` maps a slot's name to its choices and to the entity label that each carries (None: no entity).
"""

# ruff: noqa: SIM905 (a list of words reads better as words)

from __future__ import annotations

FIRST_NAMES = (
    "Anna Marco Sofia Daniel Helena Oliver Maria Thomas Julia Victor Emma Robert Clara Samuel Nina Walter"
).split()
LAST_NAMES = "Keller Rossi Morgan Novak Bennett Fischer Sullivan Parker Hansen Moreau Tanaka Brooks".split()
CITIES = ("Lisbon Geneva Berlin Chicago Toronto Madrid Oslo Dublin Vienna Boston Naples Denver Prague Sydney").split()
COUNTRIES = ("Portugal Switzerland Germany Canada Spain Norway Ireland Austria Italy Australia France Japan").split()
ORGANIZATIONS = [
    "the Northern Railway",
    "the Orion Institute",
    "the Coastal Weather Service",
    "the Harbor Museum",
    "the Polar Observatory",
    "the Golden Spoon",
    "the European Space Agency",
    "the Alpine Express",
]
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = ("January February March April May June July August September October November December").split()
NUMBERS = (
    "two three four five six seven eight nine ten twelve fifteen twenty thirty forty fifty sixty eighty ninety"
).split()
PARTS_OF_DAY = [
    "in the morning",
    "in the afternoon",
    "in the evening",
    "at night",
    "at noon",
    "after midnight",
    "before sunrise",
    "during the winter",
    "during the summer",
]
PAST = ["every year", "last week", "yesterday"]
FUTURE = ["next week", "today", "tomorrow", "this weekend"]

WEATHER_ADJECTIVES = "heavy light cold warm strong gentle dry wet bright dark early late sudden quiet".split()
WEATHER = ("rain snow wind fog thunder storm cloud sunshine frost ice heat humidity pressure lightning").split()
LANDSCAPES = [
    "the coast",
    "the mountains",
    "the valley",
    "the river",
    "the harbor",
    "the northern hills",
    "the old town",
    "the island",
    "the lake",
    "the forest",
]
SPACE_THINGS = (
    "planet moon comet star galaxy rocket satellite telescope crater orbit asteroid nebula signal engine"
    " mission astronaut"
).split()
SPACE_ADJECTIVES = ("distant small giant bright silent ancient blue red frozen broken new famous empty strange").split()
OBSERVED = ("discovered measured observed photographed followed studied repaired launched tracked described").split()
FOODS = (
    "soup bread butter onions garlic tomatoes pepper salt cheese rice potatoes mushrooms lemon olive chicken"
    " fish beans pasta sugar flour eggs honey apples carrots milk"
).split()
COOK = "chop stir boil bake mix fry slice roast pour add melt taste".split()
KITCHEN = "pan oven pot bowl kitchen knife spoon plate table".split()
RAILWAY = (
    "train station platform carriage ticket engine bridge tunnel track conductor passenger timetable"
    " locomotive signal window suitcase"
).split()
RAILWAY_ADJECTIVES = "slow fast crowded empty old modern green electric steam delayed last first".split()

_PEOPLE = FIRST_NAMES + [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]

SLOTS: dict[str, tuple[list[str], str | None]] = {
    "first": (FIRST_NAMES, "PERSON"),
    "person": (_PEOPLE, "PERSON"),
    "city": (CITIES, "GPE"),
    "country": (COUNTRIES, "GPE"),
    "org": (ORGANIZATIONS, "ORG"),
    "weekday": (WEEKDAYS, "DATE"),
    "month": (MONTHS, "DATE"),
    "past": (PAST, "DATE"),
    "future": (FUTURE, "DATE"),
    "part": (PARTS_OF_DAY, None),
    "number": (NUMBERS, None),
    "weatherly": (WEATHER_ADJECTIVES, None),
    "weather": (WEATHER, None),
    "landscape": (LANDSCAPES, None),
    "spacething": (SPACE_THINGS, None),
    "spacely": (SPACE_ADJECTIVES, None),
    "observed": (OBSERVED, None),
    "food": (FOODS, None),
    "cook": (COOK, None),
    "kitchen": (KITCHEN, None),
    "railway": (RAILWAY, None),
    "railwayly": (RAILWAY_ADJECTIVES, None),
    "anything": (SPACE_THINGS + RAILWAY + WEATHER, None),
    "anyly": (SPACE_ADJECTIVES + RAILWAY_ADJECTIVES, None),
    "topic": (
        ["the weather", "space", "cooking", "trains", "the history of railways", "food and travel"],
        None,
    ),
    "rises": (["fall", "rise"], None),
    "pack": (["warm coat", "small umbrella", "bottle of water", "pair of boots"], None),
    "spacethings": ("planets moons comets stars rockets satellites craters signals".split(), None),
    "instrument": (["small telescope", "good camera", "simple map"], None),
    "measure": ("spoons cups plates bowls".split(), None),
    "leaves": ("leaves departs arrives".split(), None),
    "left": ("stopped waited departed arrived".split(), None),
    "passed": ("left reached passed crossed".split(), None),
    "errand": (["bought a ticket", "lost a suitcase", "took a photograph", "found a seat"], None),
    "verdict": ("beautiful difficult dangerous wonderful expensive important".split(), None),
    "praise": ("beautiful wonderful interesting important".split(), None),
    "mood": ("bright cold quiet strange".split(), None),
}

TEMPLATES = [
    "good morning, this is {person} from {org}.",
    "welcome back, my name is {person} and I live in {city}.",
    "today we talk about {topic}.",
    "on {weekday} we expect {weatherly} {weather} near {landscape}.",
    "the {weather} in {city} was very {weatherly} {part}.",
    "{person} says the {weather} will reach {city} {future}.",
    "temperatures will {rises} to {number} degrees in {country} {part}.",
    "there is {weatherly} {weather} over {landscape}, and more {weather} is coming {future}.",
    "please bring a {pack} if you visit {city} in {month}.",
    "{person} {observed} a {spacely} {spacething} near the {spacething}.",
    "the {spacely} {spacething} is {number} million kilometers away from the {spacething}.",
    "in {month}, {org} {observed} {number} {spacely} {spacethings}.",
    "scientists in {country} {observed} the {spacething} {past}.",
    "we can see the {spacely} {spacething} {part} with a {instrument}.",
    "first, {cook} the {food} and the {food} in a large {kitchen}.",
    "then {cook} the {food} for {number} minutes, and {cook} the {food}.",
    "{person} likes {food} with {food} and a little {food}.",
    "my grandmother from {country} always put {food} in the {kitchen}.",
    "you need {number} {measure} of {food}, some {food} and {food}.",
    "never {cook} the {food} without {food}.",
    "the {railwayly} train to {city} {leaves} at {number} {part}.",
    "the {railwayly} {railway} from {city} {left} {part}.",
    "{person} {errand} at the {railway} in {city}.",
    "we {passed} the {railway} between {city} and {city} {past}.",
    "{org} opened a {railwayly} {railway} in {country}.",
    "did you know that the {railway} is {number} years old?",
    "what do you think about the {anyly} {anything}, {first}?",
    "yes, I think the {anything} was {verdict}.",
    "thank you, {first}, that was a {praise} story about {city}.",
    "I met {person} in {city} {past}, and we ate {food}.",
    "later, {first} and {first} walked from the {railway} to {landscape}.",
    "why is the {anything} so {mood} {part}?",
    "that is a good question, {first}.",
    "no, I have never been to {country}.",
    "see you on {weekday}, and thank you for listening.",
]
