"""The words by which a title or an utterance names a subject.

Titles of WikiArt are mostly English, some German, French, Italian, Spanish or Dutch: what is common there is listed. A
word that names something else as often is left out, such as *work* (of art), *love* in what people say (of colours), or
*fall*; so are phrases in ``MEANT_OTHERWISE``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """What names a subject; a word that ends in ``*`` is the beginning of others.

    Attributes:
        said: in titles and in utterances.
        titled: in titles alone: words of other languages, and such as mean something else in utterances.
    """

    said: str
    titled: str = ""


SUBJECT_WORDS: dict[str, Words] = {
    "sea": Words(
        "sea seas ocean* seaside seascape* seashore* shore* coast* beach* waves surf marine harbor harbour cliffs",
        "mer meer mare mar zee bay port plage marina gulf tide",
    ),
    "river": Words(
        "river* stream brook canal* riverbank waterfall*", "seine thames loire oise neva volga nile rapids creek ford"
    ),
    "lake": Words("lake* pond* lagoon*", "lac lago see etang pool backwater"),
    "ship": Words(
        "ship* boat* sail* sailor* vessel* fishermen fisherman", "barge* ferry regatta barque frigate yacht* gondola*"
    ),
    "rain": Words("rain rainy rains raining rainstorm umbrella* drizzle*", "pluie regen pioggia shower downpour"),
    "storm": Words(
        "storm storms stormy thunder thunderstorm* lightning tempest* shipwreck*",
        "orage tempete sturm hurricane wreck squall",
    ),
    "wind": Words("wind windy gust gusts gusty windswept breeze windmill*", "vent gale mistral"),
    "snow": Words(
        "snow snowy snowfall snowstorm ice icy frost* blizzard", "neige schnee neve sleigh skating skater* thaw"
    ),
    "sky": Words("sky skies cloud* rainbow*", "ciel himmel cielo"),
    "forest": Words(
        "forest* wood woods wooded trees grove pines birch* oak oaks", "bois foret wald undergrowth thicket glade"
    ),
    "garden": Words("garden* park orchard* lawn", "jardin garten giardino parc tuileries arbor terrace"),
    "flowers": Words(
        "flower* bouquet* rose roses lilies lily sunflower* blossom* tulip* peonies poppies petals vase",
        "fleurs blumen fiori chrysanthemums dahlias lilacs irises asters carnations nasturtiums anemones gladioli",
    ),
    "field": Words(
        "field fields meadow* pasture* farm* wheat haystack* cow cows sheep cattle shepherd* farmland countryside",
        "hay haymaking champ prairie rye steppe goat goats herd village plain",
    ),
    "mountain": Words(
        "mountain* hill hills peak* alps cliff* valley*", "mont montagne berg himalayas volcano vesuvius rocks gorge"
    ),
    "spring": Words("springtime spring", "printemps fruhling primavera april may blossoming"),
    "summer": Words("summer* summertime", "ete sommer estate july august"),
    "autumn": Words("autumn*", "automne herbst autunno october september november"),
    "winter": Words("winter* wintry", "hiver inverno december january february"),
    "night": Words(
        "night nights nighttime moon moonlight moonlit moonrise midnight stars starry",
        "nuit nacht notte nocturne lune evening dusk twilight clair-de-lune",
    ),
    "sunset": Words(
        "sunset* sunrise* dusk dawn", "soleil-couchant setting-sun twilight sundown evening morning-effect"
    ),
    "birds": Words(
        "bird* swan* dove* eagle* peacock* duck* geese goose seagull* owl* raven* rooster* hen hens chicken*",
        "parrot* heron* crow crows falcon stork* cranes pheasant nightingale sirin",
    ),
    "horse": Words("horse* horseback rider* riding pony", "cheval chevaux pferd cavalry equestrian jockey* centaur*"),
    "fire": Words(
        "fire flame* burning fireplace bonfire candle* candlelight torch", "feu feuer incendie volcano forge"
    ),
    "city": Words(
        "city cityscape street* buildings town boulevard* avenue* plaza", "rue strasse piazza place square quai ville"
    ),
    "market": Words("market* merchant* shop* stall* vendor* marketplace", "fair bazaar marche mercato seller"),
    "crowd": Words("crowd* procession* parade* gathering", "festival carnival demonstration multitude massacre"),
    "feast": Words(
        "feast* banquet* dinner party drinking supper festive tavern meal wine",
        "luncheon breakfast picnic bacchanal* bacchus cana drinkers fete carnival inn",
    ),
    "dance": Words("dance* dancing ballet ballerina* waltz", "danse tanz danza ballo ball danseuse cancan salome"),
    "music": Words(
        "music* violin* guitar* piano* lute* flute* singing singer* instrument* harp concert*",
        "opera song cello orchestra mandolin organ-grinder serenade cecilia",
    ),
    "battle": Words(
        "battle* war soldier* army fighting sword* warrior*",
        "siege cavalry knights massacre victory bataille combat hussars regiment",
    ),
    "child": Words(
        "child children kid kids baby babies boy boys toddler*", "enfant kind kinder bambino infant infanta little-girl"
    ),
    "mother": Words("mother* motherhood", "mere mutter madre maternity nursing cradle virgin-and-child madonna"),
    "portrait": Words(
        "portrait*", "self-portrait bildnis ritratto retrato madame mme mrs monsieur lady-with countess head-of bust"
    ),
    "love": Words(
        "lovers kiss kissing couple embrac* wedding romance",
        "love amour amor cupid eros venus-and bride honeymoon betrothal",
    ),
    "solitude": Words("lonely loneliness alone solitude solitary isolated", "hermit abandoned orphan exile"),
    "work": Words(
        "working workers labor laborers harvest* plow* plough* reaper* blacksmith* mowing toil",
        "washerwoman washerwomen laundress* sowing sower gleaners haymaking weaver miners reapers ironing spinning",
    ),
    "prayer": Words(
        "pray* angel* christ jesus religious holy saint* biblical crucifixion cross madonna",
        "st annunciation adoration virgin san santa apostle* prophet baptism resurrection altar icon trinity magdalene",
    ),
    "church": Words(
        "church* cathedral* chapel* monastery* temple* abbey",
        "eglise kirche chiesa notre-dame basilica convent mosque dome cloister bell-tower",
    ),
    "ruin": Words("ruin* ruined crumbling", "rovine forum acropolis colosseum antique-fragment parthenon"),
    "table": Words(
        "table still-life fruit apples oranges grapes pears vase basket bowl", "nature-morte stilleben lemons peaches"
    ),
    "machine": Words("train trains railway* factory factories machine* locomotive* car cars engine*", "gare steamboat"),
    "dream": Words("sleeping asleep dreaming", "dream* reverie vision sleep fantasy nightmare traum reve somnus"),
    "death": Words(
        "death dead dying corpse* skull* funeral* grave graves martyr* murder*",
        "mort tod crucifixion entombment deposition lamentation pieta burial beheading suicide cemetery tomb vanitas",
    ),
}
"""The subjects, in the order of every table of theirs."""

MEANT_OTHERWISE = re.compile(
    r"\b(sea of|ship of|still water|rain of|rose (?:colou?r|window)|fired up|fire up|work of art|city of ships"
    r"|on the other hand|piece of cake|rainy mood|like a (?:dream|photograph|portrait)"
    r"|may be|may have|may not|cross[- ]?hatch\w*|table of contents|st petersburg|saint petersburg|st moritz)\b"
)
"""Phrases that hold a word of a subject and do not mean it."""


def expression(words: str) -> re.Pattern[str]:
    """Finds any of some words in lower-case text whose words are apart by blanks."""
    parts = sorted({word.replace("-", " ") for word in words.split()}, key=lambda word: (-len(word), word))
    pattern = "|".join(re.escape(word).replace(r"\*", r"\w*") for word in parts)
    return re.compile(rf"\b(?:{pattern})\b")


def plain(text: str) -> str:
    """A title or an utterance in lower case, with blanks for all but letters and digits, without what is no subject."""
    return MEANT_OTHERWISE.sub(" ", re.sub(r"[\W_]+", " ", text.lower()))
