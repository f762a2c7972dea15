"""The sentence frames of make_philosophy.py.

A frame is a plain sentence with slots. {c} is the topic; {is}, {does}, {how}, {why}, {seen},
{image}, {point} and {enemy} are clauses of the topic; the others draw words from the lexicon.
{a x} puts a or an before the word, {pl x} makes it plural, {a:y x} is "a y x".
Frames that differ by kind of topic sit in a dict whose keys are the kinds.
"""

from __future__ import annotations

WORD_SECTIONS = (
    "animals flowers trees places weather seasons women men villages kin hobbies "
    "jobs things substances shades storms".split()
)
ROW_SECTIONS = "trades deeds misdeeds feelings subjects manners qualities".split()
DISHES = ("bowl", "plate", "basket")  # what a meal comes in
MATERIALS = ("metal", "cloth", "wood", "clay", "paper")

# slot (without its number) -> the family that is drawn together with it
SLOT_FAMILY = {
    "name": "person", "they": "person", "them": "person", "their": "person", "person": "person",
    "trade": "trade", "tool": "trade", "shop": "trade", "act": "trade", "act_third": "trade",
    "act_past": "trade", "act_ing": "trade", "good": "good", "goodadj": "good",
    "food": "food",
    "holder": "food",
    "meal": "meal",
    "dish": "meal",
    "storm": "storms", "teacher": "teacher", "lesson": "teacher",
    "manner": "manner", "adverb": "manner", "quality": "quality", "more": "quality",
    "feeling": "feeling", "who": "subject", "whodo": "subject",
    "deed": "deed", "deed_past": "deed", "deed_ing": "deed", "deed_third": "deed",
    "misdeed": "misdeed", "misdeed_past": "misdeed", "misdeed_ing": "misdeed",
    "animal": "animals", "flower": "flowers", "tree": "trees", "place": "places",
    "weather": "weather", "season": "seasons", "woman": "women", "man": "men",
    "village": "villages", "kin": "kin", "job": "jobs", "thing": "things",
    "stuff": "substances", "shade": "shades", "hobby": "hobbies",
}  # fmt: skip
KEPT_SLOTS = tuple(
    stem + n for stem in ("name", "they", "them", "their", "person") for n in ("", "1", "2")
)

# ---------------------------------------------------------------- statements about a topic

DEFINE = (
    "{c} is {is}.",
    "{c} is, above all, {is}.",
    "I would say that {c} is {is}.",
    "{c}, as I see it, is {is}.",
    "In plain words, {c} is {is}.",
    "By {c} most of us mean {is}.",
    "{c} means different things, but at heart it is {is}.",
    "{c} could be called {is}.",
    "{c} is {is}, and it {does}.",
    "To put it simply, {c} is {is}.",
    "{c} is like {image}, for {point}.",
    "I think of {c} as {is}.",
)
DOES = (
    "{c} {does}.",
    "It is often said that {c} {does}.",
    "{c} {does}, and it {does}.",
    "Remember that {c} {does}.",
    "In my view {c} {does}.",
    "It seems to me that {c} {does}.",
    "Those who know {c} well say that it {does}.",
    "Most people find that {c} {does}.",
    "We should not forget that {c} {does}.",
    "In the long run {c} {does}.",
)
SEEN = (
    "You can see {c} in {seen}.",
    "Think of {seen}; that is {c}.",
    "Look for {c} in {seen}.",
    "I see {c} in {seen}.",
    "A good picture of {c} is {seen}.",
    "When I think of {c}, I think of {seen}.",
    "There is {c} in {seen}, and in {seen}.",
    "For an example of {c}, think of {seen}.",
)
IMAGE = (
    "{c} is like {image}: {point}.",
    "One can compare {c} to {image}, for {point}.",
    "{c} is a little like {image}, because {point}.",
    "Picture {image}; {c} is like that, for {point}.",
    "If {c} had a shape, it would be {image}.",
    "Someone once likened {c} to {image}, since {point}.",
)
_GAIN = (
    "To grow in {c}, {how}.",
    "If you want more {c}, {how}.",
    "You can begin with {c} today: {how}.",
    "One way to {c} is to {how}.",
    "For the sake of {c}, {how} and {how}.",
    "It helps {c} to {how}.",
    "{c} asks something small of you: {how}.",
    "Try this for {c}: {how}.",
)
HOW = {
    "virtue": _GAIN,
    "good": _GAIN,
    "practice": (
        "To begin with {c}, {how}.",
        "{c} becomes easier when you {how}.",
        "If {c} is hard for you, {how}.",
        "A good start in {c} is to {how}.",
        "For better {c}, {how} and {how}.",
        "Try this in {c}: {how}.",
    ),
    "vice": (
        "To let go of {c}, {how}.",
        "When you notice {c} in yourself, {how}.",
        "Against {c} it helps to {how}.",
        "One way out of {c} is to {how}.",
        "If {c} has hold of you, {how}.",
        "{c} loses some of its grip when you {how}.",
        "To weaken {c}, {how} and {how}.",
    ),
    "pain": (
        "In the face of {c}, {how}.",
        "When {c} is near, {how}.",
        "Against {c} it helps to {how}.",
        "{c} weighs less when you {how}.",
        "One answer to {c} is to {how}.",
        "When you meet {c}, {how} and {how}.",
    ),
    "idea": (
        "To understand {c} better, {how}.",
        "Where {c} is concerned, {how}.",
        "A wise way to deal with {c} is to {how}.",
        "If {c} puzzles you, {how}.",
        "We deal better with {c} when we stop and think, so {how}.",
        "When you think about {c}, {how}.",
    ),
}
_MATTERS = (
    "{c} matters because {why}.",
    "We need {c} because {why}.",
    "{c} is worth the effort, since {why}.",
    "There is a good reason for {c}: {why}.",
    "Where {c} is missing we soon learn that {why}.",
    "I value {c}, for {why}.",
    "People look for {c} because {why}.",
)
WHY = {
    "virtue": _MATTERS,
    "good": _MATTERS,
    "practice": _MATTERS,
    "vice": (
        "People fall into {c} because {why}.",
        "{c} is common because {why}.",
        "There is a reason for {c}: {why}.",
        "{c} tempts us because {why}.",
        "If we look below {c}, we find that {why}.",
        "{c} is hard to leave, since {why}.",
    ),
    "pain": (
        "There is {c} in every life because {why}.",
        "{c} comes to us because {why}.",
        "One cause of {c} is simple: {why}.",
        "Behind {c} there is often this: {why}.",
        "We know {c} because {why}.",
    ),
    "idea": (
        "{c} deserves thought because {why}.",
        "People think about {c} because {why}.",
        "We should think about {c}, since {why}.",
        "{c} is a deep matter because {why}.",
        "I come back to {c}, for {why}.",
    ),
}
_HARM = (
    "Nothing harms {c} more than {enemy}.",
    "{c} can be spoiled by {enemy}.",
    "The quiet enemy of {c} is {enemy}.",
    "Many people lose {c} through {enemy}.",
    "Guard {c} against {enemy}.",
)
_HARM_KIN = (
    "The opposite of {c} is {opp}.",
    "{c} and {opp} seldom share a room.",
    "{c} is often found near {friend}.",
    "{c} and {friend} are old friends.",
)
_CURE = (
    "The best cure for {c} is {enemy}.",
    "What helps most against {c} is {enemy}.",
    "{c} seldom survives {enemy}.",
    "Nothing softens {c} like {enemy}.",
    "{c} grows weaker in the presence of {enemy}.",
)
_CURE_KIN = (
    "The opposite of {c} is {opp}.",
    "{c} often walks beside {friend}.",
    "Where there is {c}, look for {friend} too.",
    "It is a long road from {c} to {opp}.",
)
_HIDE = (
    "What hides {c} from us is often {enemy}.",
    "We forget what {c} is because of {enemy}.",
    "It is hard to think well about {c} because of {enemy}.",
    "{c} is easily hidden by {enemy}.",
    "Many people do not understand {c} because of {enemy}.",
)
_HIDE_KIN = (
    "{c} is bound up with {friend}.",
    "Whoever thinks about {c} soon comes to {friend}.",
    "Some people set {c} against {opp}.",
    "To think about {c} is also to think about {opp}.",
)
ENEMY = {
    "virtue": _HARM,
    "good": _HARM,
    "practice": _HARM,
    "vice": _CURE,
    "pain": _CURE,
    "idea": _HIDE,
}
KINSHIP = {
    "virtue": _HARM_KIN,
    "good": _HARM_KIN,
    "practice": _HARM_KIN,
    "vice": _CURE_KIN,
    "pain": _CURE_KIN,
    "idea": _HIDE_KIN,
}
TEACHER = (
    "The {teacher} {lesson}, and that makes me think of {c}.",
    "To think about {c}, watch the {teacher}, which {lesson}.",
    "The {teacher} {lesson}; there is something of {c} in that.",
    "Even the {teacher} can be a picture of {c}, for it {lesson}.",
    "The {teacher} {lesson}, and so it can tell us something about {c}.",
)
_GOOD_LEXICAL = (
    "{a trade} needs {c} as much as a good {tool}.",
    "{pl job} need {c} as much as kings do.",
    "{pl job} and {pl job2} both need {c}.",
    "{a job} without {c} is like {a thing} that nobody uses.",
    "One may own {pl thing} and {pl thing2} and still lack {c}.",
    "{c} cannot be made of {stuff} or {stuff2}.",
    "All the {pl tool} and {pl good} in the {pl place} of {village} cannot replace {c}.",
    "I once {deed_past}, and I learned something about {c}.",
    "To {deed} is no bad way to begin with {c}.",
    "You may meet {c} while {deed_ing}.",
    "Someone who {deed_third} may know more about {c} than the books.",
    "We can draw {a thing}, but we must live {c}.",
    "Neither {a thing} nor {a thing2} can take the place of {c}.",
    "Give a person {a thing}, {a thing2} and even {a thing3}, and {c} may still be missing.",
    "Near the {shop} you may hear {a trade} speak of {c}.",
    "When {pl trade} {act}, a little {c} makes the work lighter.",
    "People built {pl thing} and {pl thing2}, yet {c} is still a daily task.",
    "{a trade} who {act_third} every day may know more about {c} than I do.",
    "You may find {c} where {pl trade} {act}, as well as in a palace.",
    "{c} is worth more than {a:goodadj good}.",
    "No shop sells {c} beside the {pl good} and the {food}.",
    "{c} cannot be carried home like {a holder} of {food}.",
    "I would not trade {c} for a whole room of {pl good}.",
    "{c} lives in small things: {a:goodadj good}, {a dish} of {meal}, a kind word.",
    "Ask {a trade} who loves {act_ing}, and you will hear about {c}.",
    "One can think about {c} while feeding {pl animal} or planting {pl flower}.",
    "{who} {whodo}, and they too need {c}.",
    "A house full of {pl good} may still lack {c}.",
    "{c} is as welcome as {food} after a long day at the {place}.",
    "{c} will not grow overnight like {pl flower} in {season}.",
)
_BAD_LEXICAL = (
    "{c} can visit {a trade} as well as a king.",
    "{pl job} know {c} as well as kings do.",
    "{pl job} and {pl job2} both meet {c}.",
    "Neither {pl thing} nor {pl tool} can keep {c} away.",
    "Not even {a thing} or {a thing2} will make us forget {c} for long.",
    "The owner of {a thing} and {a thing2} may suffer from {c} too.",
    "Near the {shop} you may hear {a trade} speak of {c}.",
    "When {pl trade} {act}, they sometimes forget {c}.",
    "Walls of {stuff} or {stuff2} do not keep {c} out.",
    "{deed_ing} may help for a while against {c}.",
    "My {kin} {deed_past} and forgot about {c} for an hour.",
    "Even someone who {deed_third} may meet {c} on the way.",
    "One may own {pl thing} and {pl thing2} and still suffer from {c}.",
    "Even {a shade} {good} in the sun looks dull to a heart full of {c}.",
    "{c} is met in {pl place} and {pl place2}, in huts and in palaces.",
    "No {goodadj} {good} was ever a cure for {c}.",
    "{c} does not leave because we bring it {food}.",
    "{a trade} who {act_third} every day has met {c} too.",
    "Many {pl trade} have spoken of {c} over {a dish} of {meal}.",
    "{who} {whodo}, and they know {c} as well.",
    "A house full of {pl good} is no wall against {c}.",
    "{c} can come in {season}, in sunshine or in {weather}.",
    "A walk among {pl tree} and {pl flower} makes {c} a little smaller.",
    "{a trade} may forget {c} for an hour while {act_ing}.",
    "In {village} they say that {c} is like {weather} in {season}: it passes.",
)
LEXICAL = {
    "virtue": _GOOD_LEXICAL,
    "good": _GOOD_LEXICAL,
    "practice": _GOOD_LEXICAL,
    "vice": _BAD_LEXICAL,
    "pain": _BAD_LEXICAL,
    "idea": (
        "{a trade} may think about {c} while {act_ing}.",
        "You can hold {a:goodadj good} in your hand, but you cannot hold {c}.",
        "{pl job} and {pl trade} may think of {c} in different ways.",
        "{pl job}, {pl job2} and {pl kin} all have something to say about {c}.",
        "We can paint {a good} {shade}, but what color is {c}?",
        "My {kin} {deed_past} and thought about {c} all the while.",
        "{deed_ing} leaves time to think about {c}.",
        "Even someone who {deed_third} may wonder about {c}.",
        "People who work with {stuff} or {stuff2} also wonder about {c}.",
        "{c} cannot be weighed like {pl thing} or {pl tool}.",
        "It is easier to describe {a thing} or {a thing2} than {c}.",
        "{a thing} is easy to draw, and so is {a thing2}, but who could draw {c}?",
        "Near the {shop} you may hear {a trade} speak of {c}.",
        "When {pl trade} {act}, they may think of {c}.",
        "People talk of {c} in {pl place} and in {pl place2}.",
        "{who} {whodo}, and so they learn about {c}.",
        "We do not learn about {c} as we learn to use {a:goodadj good}.",
        "People talk about {c} over {a dish} of {meal}.",
        "One can think about {c} in the {place} as well as in a school.",
        "{c} is not a thing like {a good} or {a tool}.",
        "{a trade} who {act_third} may understand {c} better than a scholar.",
        "{pl animal} and {pl tree} have no word for {c}, but we do.",
        "A walk among {pl tree} in {season} is a good time to think about {c}.",
        "In {village} they talk of {c} when the {weather} keeps them indoors.",
    ),
}

# ---------------------------------------------------------------- questions and first answers

_WHAT = (
    "What is {c}?", "What does {c} mean?", "What do you mean by {c}?", "Can you explain {c}?",
    "How would you explain {c} to a child?", "What do people mean by {c}?",
    "Can you say in plain words what {c} is?", "What is {c}, in your view?",
    "What would you call {c}?", "Please tell me what {c} is.", "I want to understand {c}.",
    "What should I know about {c}?", "My {kin} asked me what {c} is.",
    "What should I tell my {kin} about {c}?", "How would {a job} explain {c}?",
    "What would {a job} say about {c}?",
    "My {kin} and I talked about {c} at the {place}.",
)  # fmt: skip
_ABOUT = (
    "Can you tell me about {c}?", "Tell me about {c}.", "Tell me something about {c}.",
    "What do you think about {c}?", "I would like to talk about {c}.", "Let us talk about {c}.",
    "I have been thinking about {c}.", "I saw {a thing} today and thought of {c}.",
    "A picture of {a thing} made me think about {c}.", "Do you ever think about {c}?",
    "Say something about {c}.",
    "I read a book about {c} in {season}.", "I heard two {pl job} talk about {c}.",
    "Last {season} I began to think about {c}.", "My {kin} often speaks of {c}.",
)  # fmt: skip
_WHY_GOOD = (
    "Why does {c} matter?", "Why do we need {c}?", "Why is {c} important?",
    "Why should I care about {c}?", "Do we really need {c}?", "What is {c} good for?",
    "Why do people value {c}?", "Why would {a job} need {c}?", "Is {c} worth the trouble?",
)  # fmt: skip
_WHY_BAD = (
    "Why is there {c}?", "Where does {c} come from?", "Why do people know {c}?",
    "What causes {c}?", "Why is {c} so common?", "What lies behind {c}?",
    "Why do even {pl trade} know {c}?",
)  # fmt: skip
_SEEN_ASKS = (
    "Where can I see {c}?", "Can you give me an example of {c}?", "What does {c} look like?",
    "Where do we find {c} in daily life?", "How do I recognize {c}?", "Show me a case of {c}.",
    "Can {pl trade} find {c} while {act_ing}?", "Could one find {c} at the {place}?",
    "What is a good example of {c}?",
)  # fmt: skip
_IMAGE_ASKS = (
    "What is {c} like?", "Can you give me a picture of {c}?", "What can {c} be compared to?",
    "If {c} were a thing, what would it be?", "What image fits {c}?",
    "Is {c} like {a:goodadj good}?", "Is {c} more like {stuff} or like {stuff2}?",
    "Can one draw {c} as {a thing}?", "Is {c} {shade} or {shade2}?",
    "Is {c} like {a thing} or like {a thing2}?", "Is {c} more like {a good} or {a good2}?",
    "Is {c} like {weather} in {season}?",
)  # fmt: skip
_ENEMY_GOOD_ASKS = (
    "What harms {c}?", "What is the enemy of {c}?", "How do people lose {c}?",
    "What stands in the way of {c}?", "Can {c} be lost?", "Why is {c} so rare?",
    "What should I avoid for the sake of {c}?", "What is bad for {c}?",
)  # fmt: skip
_CURE_ASKS = (
    "What helps against {c}?", "Is there a cure for {c}?",
    "What makes {c} weaker?", "Does {c} ever end?", "Can {c} be healed?",
    "What can end {c}?",
)  # fmt: skip
_DEFINE_ANSWERS = DEFINE
_YES_DOES = (
    "{c} {does}.",
    "I like to think about {c}, for it {does}.",
    "Many things can be said about {c}; for one, it {does}.",
    "{c} is {is}.",
    "What I know of {c} is that it {does}.",
    "{c} is {is}, and it {does}.",
    "{c} is a good thing to talk about: it {does}.",
    "I know a little about {c}: it {does}, and it {does}.",
)
_FRIEND_ASKS = (
    "Is {c} the same as {friend}?", "How is {c} tied to {friend}?",
    "What has {c} to do with {friend}?", "Can there be {c} without {friend}?",
    "Which comes first, {c} or {friend}?", "Is {c} better than {opp}?",
    "What is the difference between {c} and {opp}?", "Must I choose between {c} and {opp}?",
)  # fmt: skip
_FRIEND_ANSWERS = (
    "{c} is one thing and the other is another, though they often meet, for {c} {does}.",
    "{c} should be seen by itself: it is {is}.",
    "Let us begin with {c}, which is {is}.",
    "It is {c} that {does}, and that is the difference.",
    "{c} has its own mark: it {does}.",
    "I would look at {c} first, for it is {is}.",
)
_BUY_ASKS = (
    "Can I buy {c}?", "Can money buy {c}?", "Is {c} worth more than {a:goodadj good}?",
    "Would you trade {c} for {a:goodadj good}?", "Is {c} worth more than {a thing}?",
    "Would you give up {c} for {a thing}?", "What does {c} cost?",
    "Can I find {c} at the {place}?", "I have {a:goodadj good}, but do I have {c}?",
)  # fmt: skip
_BUY_ANSWERS = (
    "{c} is not for sale, for it is {is}.",
    "{c} cannot be bought like {a:goodadj good}, because it {does}.",
    "No, {c} is worth more than any {good}.",
    "{c} has no price; it {does}.",
    "You can buy {a good}, but {c} must be earned.",
    "{c} is not kept on a shelf, for it is {is}.",
)
_LEARN_ASKS = (
    "How can I learn {c}?", "How do I find {c}?", "Can {c} be taught?",
    "How can I grow in {c}?", "Can {hobby} teach me {c}?", "Can I learn {c} from {hobby}?",
    "How can {a trade} learn {c}?", "How can I teach {c} to my {kin}?", "Is it hard to learn {c}?",
    "What can I do for more {c}?", "Am I too old to learn {c}?", "How do I begin with {c}?",
)  # fmt: skip
_LEARN_ANSWERS = (
    "{c} is learned in small steps: {how}.",
    "You can learn {c} if you {how}.",
    "{c} grows with use, so {how}.",
    "To learn {c}, {how}.",
    "Nobody is born with {c}, so begin small: {how}.",
    "{c} begins at home: {how}.",
    "For {c}, {how}, and then {how}.",
    "There is no school for {c}, but you can {how}.",
    "Almost anything can teach {c} if you do it with care; you might also {how}.",
)
_WORTH_ASKS = (
    "Is {c} always good?", "Can there be too much {c}?", "Can a person live without {c}?",
    "Is {c} possible for everyone?", "Does {c} last?", "Is {c} a gift or a choice?",
    "Do you believe in {c}?", "Is {c} the same in {village} and in {village2}?",
    "Did people in the past understand {c} better?", "Is {c} for the young or for the old?",
)  # fmt: skip
_WORTH_ANSWERS = (
    "That is a hard question about {c}, but I think that it {does}.",
    "Much could be said about {c}, but I think that it {does}.",
    "I am not sure, but {c} {does}.",
    "People disagree about {c}; still, it {does}.",
    "{c} is {is}, so each of us must answer for himself.",
    "Perhaps, if we remember that {c} is {is}.",
    "About {c} I can say only this: it {does}.",
)
_VIRTUE_ASKS = (
    "How can I become {adj}?", "What is {a adj} person like?",
    "Is it good to be {adj}?", "I want to be more {adj}.", "Can {a trade} be {adj}?",
    "My {kin} says that I should be more {adj}.", "Must a leader be {adj}?",
)  # fmt: skip
_VIRTUE_ANSWERS = (
    "{a adj} person knows that {c} {does}.",
    "{a adj} person has {c}, which is {is}.",
    "To be {adj} is to have {c}, so {how}.",
    "You become {adj} by practice: {how}.",
    "People who are {adj} know that {why}.",
    "To be {adj} you need {c}, and {c} {does}.",
)
_VICE_ASKS = (
    "Why are people {adj}?", "What should I do when someone is {adj}?", "Am I too {adj}?",
    "My {kin} is often {adj}.", "How can I stop being {adj}?", "Is it bad to be {adj}?",
    "My boss at the {shop} is {adj}.",
)  # fmt: skip
_VICE_ANSWERS = (
    "People are {adj} because {why}.",
    "A person who is {adj} has been caught by {c}, and {c} {does}.",
    "Being {adj} is a sign of {c}, which is {is}.",
    "We are all {adj} at times, because {why}.",
    "To be less {adj}, {how}.",
    "When someone is {adj}, remember where {c} comes from: {why}.",
)
_TEACHER_ASKS = (
    "What can the {teacher} teach us about {c}?", "What has the {teacher} to do with {c}?",
    "Can the {teacher} teach us {c}?", "Is there a lesson about {c} in nature or in the house?",
    "What do {pl animal} know about {c}?", "Which creature or thing shows {c} best?",
    "Does the {teacher} know anything about {c}?",
)  # fmt: skip
_LETGO_ASKS = (
    "How can I let go of {c}?", "What should I do about {c}?", "How do I deal with {c}?",
    "How can I help a friend who knows {c}?", "I struggle with {c}.", "How can I live with {c}?",
    "What can {a trade} do about {c}?", "My {kin} suffers from {c}.",
)  # fmt: skip
_IDEA_HOW_ASKS = (
    "How should we think about {c}?", "How can I understand {c}?", "How do I deal with {c}?",
    "What can I learn from {c}?", "How should {a trade} think about {c}?",
    "What is a wise view of {c}?",
)  # fmt: skip
_IDEA_WHY_ASKS = (
    "Why do people think about {c}?", "Why does {c} matter?", "Why is {c} so hard to understand?",
    "Why do we talk about {c}?", "Is {c} worth thinking about?",
    "Why would {a trade} care about {c}?",
)  # fmt: skip
_HIDES_ASKS = (
    "Why do we forget about {c}?", "What hides {c} from us?", "Why is {c} easy to overlook?",
    "What do people get wrong about {c}?", "Why do so few people understand {c}?",
)  # fmt: skip

_KIN_ASKS = (
    "What goes along with {c}?",
    "What is tied to {c}?",
    "What belongs together with {c}?",
    "Where {c} is, what else is there?",
    "Which word stands closest to {c}?",
)
_KIN_ANSWERS = (
    "{c} is bound up with {friend}.",
    "Whoever thinks about {c} soon comes to {friend}.",
    "{c} is often found near {friend}.",
    "Where there is {c}, look for {friend} too.",
    "{c} goes along with {friend}, as a rule.",
    "I would put {c} next to {friend}.",
)
_OPPOSITE_ASKS = (
    "What is the opposite of {c}?",
    "What would you set against {c}?",
    "Which word stands farthest from {c}?",
    "What do we have when {c} is gone?",
    "Does {c} have an opposite?",
)
_OPPOSITE_ANSWERS = (
    "The opposite of {c} is {opp}.",
    "{c} is the opposite of {opp}.",
    "Most people would set {c} against {opp}.",
    "{c} stands on one side and {opp} on the other.",
    "Against {c} we could set {opp}.",
)

QUESTIONS = {
    "kin": (_KIN_ASKS, _KIN_ANSWERS),
    "opposite": (_OPPOSITE_ASKS, _OPPOSITE_ANSWERS),
    "what": (_WHAT, _DEFINE_ANSWERS),
    "about": (_ABOUT, _YES_DOES),
    "why_good": (_WHY_GOOD, WHY),
    "why_bad": (_WHY_BAD, WHY),
    "why_idea": (_IDEA_WHY_ASKS, WHY),
    "seen": (_SEEN_ASKS, SEEN),
    "image": (_IMAGE_ASKS, IMAGE),
    "enemy": (_ENEMY_GOOD_ASKS, ENEMY),
    "cure": (_CURE_ASKS, ENEMY),
    "hides": (_HIDES_ASKS, ENEMY),
    "friend": (_FRIEND_ASKS, _FRIEND_ANSWERS),
    "buy": (_BUY_ASKS, _BUY_ANSWERS),
    "learn": (_LEARN_ASKS, _LEARN_ANSWERS),
    "worth": (_WORTH_ASKS, _WORTH_ANSWERS),
    "virtue": (_VIRTUE_ASKS, _VIRTUE_ANSWERS),
    "vice": (_VICE_ASKS, _VICE_ANSWERS),
    "teacher": (_TEACHER_ASKS, TEACHER),
    "letgo": (_LETGO_ASKS, HOW),
    "how_idea": (_IDEA_HOW_ASKS, HOW),
}
_COMMON = [
    "what",
    "what",
    "about",
    "about",
    "seen",
    "image",
    "friend",
    "teacher",
    "kin",
    "opposite",
]
QUESTIONS_BY_KIND = {
    "virtue": [*_COMMON, "why_good", "enemy", "buy", "learn", "learn", "worth", "virtue"],
    "good": [*_COMMON, "why_good", "enemy", "buy", "worth", "worth"],
    "practice": [*_COMMON, "why_good", "enemy", "learn", "worth"],
    "vice": [*_COMMON, "why_bad", "cure", "letgo", "letgo", "vice", "vice"],
    "pain": [*_COMMON, "why_bad", "cure", "letgo", "letgo"],
    "idea": [*_COMMON, "why_idea", "hides", "how_idea", "how_idea", "worth"],
}
FOLLOW_LEADS = ("And ", "But ", "So ", "Then ", "Now, ", "Well, ", "Tell me, ", "I see, but ")
DIALOGUE_QUESTIONS = ("what", "about", "seen", "image", "friend")

# ---------------------------------------------------------------- chat about the user's day

FEELING_ASKS = (
    "I feel {feeling} today.", "I feel {feeling}.", "Why do I feel so {feeling}?",
    "I have felt {feeling} since {season}.", "What should I do when I feel {feeling}?",
    "My {kin} feels {feeling}.", "This morning I felt {feeling}.",
    "Today at the {place} I felt {feeling}.", "Is it all right to feel {feeling}?",
    "I am a little {feeling} after my talk with my {kin}.",
    "I thought of my {kin} today and felt {feeling}.",
)  # fmt: skip
FEELING_ANSWERS = (
    "Many people feel {feeling} at times.",
    "Thank you for telling me that you feel {feeling}.",
    "To feel {feeling} is human.",
    "It is all right to feel {feeling}.",
    "When we feel {feeling}, it is good to think about {c}.",
    "Anyone can feel {feeling}, even {a trade} or a king.",
    "If you feel {feeling}, let us think about {c}.",
    "To feel {feeling} has something to do with {c}.",
    "I hear that you feel {feeling}.",
)
DEED_ASKS = (
    "Today I {deed_past}.", "I {deed_past} for my {kin}.", "I want to {deed}.",
    "Should I {deed} for my {kin}?", "My {kin} {deed_past} yesterday.",
    "Why should I {deed}?", "Is it good to {deed}?", "I spent the morning {deed_ing}.",
    "In {season} I often {deed}.", "Must I {deed} today?", "I {deed_past} and felt glad.",
    "What do I learn from {deed_ing}?",
)  # fmt: skip
DEED_ANSWERS = (
    "To {deed} is a small lesson in {c}.",
    "{deed_ing} has much to do with {c}.",
    "There is {c} in that, for to {deed} takes time and heart.",
    "{deed_ing} sounds small, but it is a step toward {c}.",
    "Whoever will {deed} knows something about {c}.",
    "I like that, because {deed_ing} makes me think of {c}.",
    "It is surely good to {deed}.",
)
MISDEED_ASKS = (
    "I {misdeed_past}.", "Today I {misdeed_past}, and I am sorry.",
    "My {kin} {misdeed_past}.", "What should I do if I {misdeed}?",
    "Yesterday I {misdeed_past} and told nobody.", "Is it so bad to {misdeed}?",
    "I {misdeed_past} at the {place}.", "Will my {kin} forgive me if I {misdeed}?",
)  # fmt: skip
MISDEED_ANSWERS = (
    "To {misdeed} is not the end of the world, but it should be mended.",
    "It happens that people {misdeed}; now think about {c}.",
    "Sooner or later we all {misdeed} or do something like it.",
    "{misdeed_ing} does harm, and a plain apology is a good start.",
    "After {misdeed_ing} it is best to tell the truth.",
    "Here it helps to think about {c}.",
    "One mistake does not make a bad person, and it can teach you about {c}.",
)

# ---------------------------------------------------------------- small talk

_HELLO = ("Hello", "Hi", "Good morning", "Good evening", "Good day", "Good afternoon", "Hi there")
GREETING_ASKS = tuple(
    hello + rest
    for hello in _HELLO
    for rest in (
        ".", ", my name is {woman}.", ", I am {man} from {village}.", ", I am {a trade}.",
        ", are you awake?", ", do you have time for a question?", ", it is {season} here.",
        ", I come from {village}.", ", I am {woman}, and I work as {a trade}.",
        ", I have just come home from the {place}.", ", can I ask you a question?",
        ", I want to ask you something.",
    )
)  # fmt: skip
GREETING_ANSWERS = tuple(
    hello + rest
    for hello in (*_HELLO, "Welcome")
    for rest in (
        ".", ", and welcome.", ", it is good to meet you.", ", what is on your mind?",
        ", ask me what you like.", ", what would you like to talk about?",
        ", I am glad that you came.", ", shall we think about something together?",
        ", I hope that you had a good day.", ", I am ready to listen.", ", how are you today?",
        ", which question did you bring?", ", sit down and let us talk.",
    )
)  # fmt: skip
_WHO_ASKS = (
    "Who are you?", "What are you?", "Are you a person?", "What is your name?",
    "Are you a machine?", "What can you do?", "Do you know everything?", "Where do you live?",
    "Are you {a trade}?", "Do you eat {food}?", "Do you have a {kin}?", "Do you own {a good}?",
    "Have you ever been to {village}?", "Do you like {food}?", "Do you like {hobby}?",
    "Can you see {a animal}?", "Have you ever seen {a animal}?", "Do you sleep in {season}?",
    "Can you smell {pl flower}?", "Have you ever touched {a:goodadj good}?",
    "Have you ever seen {a thing}?",
    "Do you know any {pl job}?",
    "Did you grow up in {village}?", "Can you {deed}?", "How old are you?",
)  # fmt: skip
_WHO_ANSWERS = (
    "I am a small language model{who_tail}.", "I am only a small program{who_tail}.",
    "I am a little machine for words{who_tail}.", "I am an assistant made of words{who_tail}.",
    "I am a very small model{who_tail}.", "I am not a person but a program{who_tail}.",
)  # fmt: skip
_WHO_TAILS = (
    "", ", and I like to talk about {c}", ", and I know a little about {c}",
    " with no hands and no eyes",
    ", so I know words but not things", " that learned from simple sentences",
    ", and I have never held {a good}", ", and I have never tasted {food}",
    ", and I have never seen {a animal}", ", but we can talk about {c}",
)  # fmt: skip
_WHO_ANSWERS = tuple(
    answer.replace("{who_tail}", tail) for answer in _WHO_ANSWERS for tail in _WHO_TAILS
)
_HOW_ASKS = (
    "How are you?", "How are you today?", "How do you feel?", "Are you well?",
    "How is your {season}?", "Are you happy?", "Did you sleep well?", "How was your day?",
    "What are you doing?", "What did you do in {season}?", "Are you busy?",
)  # fmt: skip
_HOW_ANSWERS = tuple(
    start + rest
    for start in ("I am well", "I am fine", "All is calm here", "I feel nothing, but I am ready")
    for rest in (
        ", thank you.", ", and I am ready to talk.", ", and I was thinking about {c}.",
        ", and I hope that you are well too.", ", so tell me about your day.",
        ", and I have time for you.", ", though I have no body to complain about.",
        ", so ask me about {c} if you like.", ", thank you for asking.",
    )
)  # fmt: skip
_PLEASE_ASKS = (
    "I do not know what to ask.",
    "Give me something to think about.", "Tell me something wise.", "What shall we talk about?",
    "I am bored at the {place}.", "Do you have a thought for a day of {weather}?",
    "What should {a trade} think about?", "I have an hour before I {deed}.",
    "Give me a thought for {season}.", "Say something that my {kin} would like.",
    "I am sitting near the {place} and want to think.", "Teach me something new.",
)  # fmt: skip
_PLEASE_ANSWERS = (
    "Then think about {c}.", "We could talk about {c}.", "Let us talk about {c}, for it {does}.",
    "Ask yourself what {c} is.", "Here is a thought: {c} {does}.", "You could ask me about {c}.",
    "Think about {c}, which is {is}.", "I would begin with {c}.",
    "A good question is where {c} comes from.", "Think of {seen}, and then of {c}.",
)  # fmt: skip
MEETINGS = (
    (GREETING_ASKS, GREETING_ANSWERS),
    (_WHO_ASKS, _WHO_ANSWERS),
    (_HOW_ASKS, _HOW_ANSWERS),
    (_PLEASE_ASKS, _PLEASE_ANSWERS),
)
THANKS_ASKS = (
    "Thank you.", "Thanks.", "Thank you, that helps.", "Thank you for the talk about {c}.",
    "Thank you, I will think about {c}.", "That is a good answer about {c}.",
    "I understand {c} better now.", "I like what you say about {c}.", "I will tell my {kin}.",
    "I will remember that about {c}.", "Thanks, now I can go back to {act_ing}.",
    "I am not sure that I agree about {c}.", "That is enough about {c} for today.",
    "I will think about {c} on my way to the {place}.", "My {kin} would like that answer.",
)  # fmt: skip
THANKS_ANSWERS = (
    "You are welcome.", "You are welcome, and {c} will wait for your next question.",
    "I am glad that it helped.", "It was good to think about {c} with you.",
    "You are welcome; {c} is worth a slow walk.", "Come back when {c} puzzles you again.",
    "Gladly, for {c} is never quite finished.", "It is a pleasure to talk about {c}.",
    "You asked well, and {c} likes good questions.", "I may be wrong about {c}, so keep asking.",
    "Think about {c} again after {a dish} of {meal}.", "Then let {c} rest until tomorrow.",
    "Talk it over with {a trade} or with a friend, for {c} has many sides.",
)  # fmt: skip
FAREWELL_ASKS = (
    "Goodbye.", "Good night.", "I must go now.", "See you tomorrow.", "Bye.",
    "I must go and {deed}.", "I have to be at the {place} soon.", "My {kin} is calling me.",
    "It is late in {village}, so good night.", "I have to feed my {animal} now.",
    "Goodbye, and thank you for {c}.", "I am going home to eat {food}.",
    "That is all for today, I must {deed}.",
)  # fmt: skip
FAREWELL_ANSWERS = tuple(
    bye + rest
    for bye in ("Goodbye", "Farewell", "Good night", "Take care", "Until next time", "Go well")
    for rest in (
        ".", ", and come back soon.", ", and think of {c} now and then.", ", my friend.",
        ", and may {c} be a good question for you.", ", it was good to talk.",
        ", and give my best to your {kin}.", ", and enjoy the {weather}.",
        ", and sleep well.", ", and bring me a new question.", ", I will be here.",
    )
)  # fmt: skip

UNKNOWN = (
    ("Where did my {kin} leave the {goodadj} {good}?",
     ("I do not know where your {kin} left the {good}.",
      "I cannot know where the {good} is.",
      "I am sorry, but I have not seen the {goodadj} {good}.")),
    ("What will the weather be in {village} in {season}?",
     ("I do not know what the weather will be in {village}.",
      "Nobody can tell you that about {season} with certainty.",
      "I cannot see the sky over {village}.")),
    ("How many {pl animal} live in {village}?",
     ("I do not know how many {pl animal} live there.",
      "I have never counted the {pl animal} of {village}.",
      "I would only be guessing about the {pl animal}.")),
    ("How many {pl thing} are there in {village}?",
     ("I do not know how many {pl thing} there are.", "I have never counted the {pl thing} there.",
      "Someone in {village} may know about the {pl thing}.")),
    ("What does {a:goodadj good} cost in {village}?",
     ("I do not know what {a good} costs there.",
      "I cannot tell you the price of {a good}.",
      "You should ask a shopkeeper in {village} about the {good}.")),
    ("Who won the {hobby} prize in {village}?",
     ("I do not know who won it.", "I have no news from {village}.",
      "I know nothing about {hobby} in {village}.")),
    ("Why did my {kin} {deed} last {season}?",
     ("I cannot know why your {kin} did that.", "I do not know the reasons of your {kin}.",
      "You should ask your {kin} why.")),
    ("How do I cook {food} with {food2}?",
     ("I do not know how to cook {food}.", "I have never cooked {food}, so ask a good cook.",
      "I know words, but I cannot cook {food}.")),
    ("Is my {animal} ill?",
     ("I do not know if your {animal} is ill.", "I cannot see your {animal}, so please ask a vet.",
      "I am no animal doctor, so I cannot tell about the {animal}.")),
    ("Which is taller, {a tree} or {a tree2}?",
     ("I do not know which tree is taller.", "I have never measured {a tree}.",
      "You could ask a forester about the {tree} and the {tree2}.")),
    ("What is the name of the {trade} in {village}?",
     ("I do not know the {trade} in {village}.", "I do not know that name.",
      "I have never met {a trade} from {village}.")),
    ("When do {pl flower} bloom in {village}?",
     ("I do not know when {pl flower} bloom there.",
      "A gardener in {village} could tell you about the {pl flower}.",
      "I am not sure when to look for {pl flower}.")),
    ("Can you repair my {goodadj} {good}?",
     ("I cannot repair {a good}, for I have no hands.",
      "I do not know how to repair {a good}.", "Take the {good} to someone with good tools.")),
)  # fmt: skip
UNKNOWN_MORE = tuple(
    f"{first} {second}."
    for first in (
        "It is better to say so than", "I find it better to admit this than",
        "To admit this is wiser than", "It is more honest to leave a gap than",
    )
    for second in (
        "to guess", "to invent an answer", "to pretend", "to tell you a pretty story",
        "to sound clever", "to send you to the wrong place", "to mislead you",
    )
) + ("I can talk about {c}, but not about that.", "Ask me about {c} instead.",
     "I know a little about {c}, but nothing about this.")  # fmt: skip

# ---------------------------------------------------------------- dialogues

SCENES = (
    "{name1} and {name2} sat near the {place} in {village} and talked about {c}.",
    "{name1} was {a job}, and {name2} liked to ask {them1} about {c}.",
    "One day in {season}, {name1} met {name2} at the {place}.",
    "In {village}, {name1} and {name2} shared {a dish} of {meal} and spoke of {c}.",
    "It was a day of {weather}, and {name1} walked with {name2} to the {place}.",
    "{name1} was repairing {a:goodadj good} when {name2} came by with a question.",
    "{name1} and {name2} watched {a animal} near the {place} and began to talk about {c}.",
    "{name1} and {name2} rested under {a tree} on the road to {village}.",
    "{name1} {deed_past} that day, and then {name2} came to talk about {c}.",
    "{name2} was planting {pl flower}, and {name1} came to help.",
)
TAGS = (
    "{adverb}", "{adverb}", "{adverb}", "{adverb}", "{adverb}",
    "with {a:goodadj good} in one hand", "and thought of a friend in {village}",
    "and reached for the {food}", "after a pause",
    "and pointed at {a animal}", "and sat down under {a tree}", "and put down the {good}",
    "and picked up {a good}", "and went on {deed_ing}", "and turned back to {deed_ing}",
    "and looked toward the {place}", "with a smile",
    "and thought of {season}", "while {act_ing}",
)  # fmt: skip
OBJECTIONS = (
    "But is that true for {a trade} too?", "I am not sure that {c} is so simple.",
    "My {kin} thinks otherwise about {c}.", "But I have seen {c} go wrong.",
    "Once I {deed_past} and thought about {c}.",
    "Would {a job} say that about {c}?",
    "Then why do so few people understand {c}?", "Is that {c}, or only {friend}?",
    "How do you know this about {c}?", "I once thought that {c} was {is}.",
    "A child in {village} would not agree about {c}.", "That sounds too easy for {c}.",
    "Suppose that {a trade} asked you about {c}.", "Do {pl animal} know {c} too?",
    "What would you say about {c} to your {kin}?", "So {c} is not like {a good}.",
)  # fmt: skip
REPLIES = (
    "You are right to ask about {c}.", "Let me say it another way, since {c} {does}.",
    "Look at it slowly, for {c} is {is}.", "I do not know all of {c}.",
    "I learned about {c} from {a trade} in {village}.", "Perhaps {c} has more than one face.",
    "Think again about {c}.", "That is a good point about {c}.", "Let us take an example of {c}.",
    "{c} puzzles me as well.", "My {kin} taught me about {c}.",
    "I can tell you how {c} looks to me.",
)  # fmt: skip
CLOSINGS = (
    "Then I will think about {c} again tomorrow.", "Now I see {c} a little better.",
    "You have given me much to think about, and {c} is part of it.",
    "I will tell my {kin} what you said about {c}.", "So {c} is {is}.",
    "We have not finished with {c}, but I must go home.", "Then we agree that {c} {does}.",
    "I still doubt it, but I will look for {c}.", "I will remember that {c} {does}.",
    "Let us talk about {c} again in {season}.",
    "I came with one question about {c}, and I leave with two.",
)  # fmt: skip

# ---------------------------------------------------------------- aphorisms

_SAY_GOOD = (
    "Where {c} lives, even a small house is large.",
    "A house can do without {a good}, but not without {c}.",
    "Better {a dish} of {meal} with {c} than a feast with {opp}.",
    "Do not look for {c} in {a:goodadj good}; look for it in {seen}.",
    "First {c}, then {a:goodadj good}.",
    "A little {c} can light a whole {place}.",
    "{opp} shouts, but {c} stays.",
    "{season} passes, {weather} passes, but {c} {does}.",
)
_SAY_BAD = (
    "{c} comes without an invitation, and it {does}.",
    "Feed {c} today and it will ask for more tomorrow.",
    "The door that {c} opens leads away from {opp}.",
    "Better {a dish} of {meal} in peace than a feast with {c}.",
    "{c} can hide behind {a:goodadj good}.",
    "Nobody wants {c}, and yet {why}.",
    "{storm} is hard on a roof, and {c} is hard on a heart.",
)
SAYINGS = {
    "virtue": _SAY_GOOD,
    "good": _SAY_GOOD,
    "practice": (
        "{c} {does}, and it asks for little.", "A day with some {c} is not a lost day.",
        "Through {c} we learn what {a:goodadj good} cannot teach.",
        "{c} and {a dish} of {meal}: some days need no more.",
        "{season} is a good time for {c}, and so are the others.",
        "{c} is {is}; {opp} is only a pause.",
    ),
    "vice": _SAY_BAD,
    "pain": _SAY_BAD,
    "idea": (
        "We speak of {c} as if we owned it.", "{c} {does}, whether we watch or not.",
        "Ask {a job}, {a job2} and a child about {c}, and you will hear three answers.",
        "{season} comes and goes, and {c} {does}.", "He who forgets {c} will meet it again.",
        "Between {c} and {opp} there is room for a whole life.",
        "{c} is {is}, and still we argue about it.",
    ),
}  # fmt: skip
NOTICES = (
    "{who} {whodo}, and that tells us something about {c}.",
    "{who} {whodo}; they must know {c}.",
    "Near the {place} of {village} there are {pl flower}, and one can think about {c} there.",
    "{pl animal} do not ask about {c}.",
    "I saw {a animal} beside {a tree} and thought of {c}.",
    "{a trade} once told me that {c} {does}.",
    "My {kin} from {village} says that {c} is {is}.",
    "Two {pl job} can argue about {c} over {a dish} of {meal} until night.",
    "While {act_ing}, {a trade} has time to think about {c}.",
    "{pl good} break and {pl flower} fade, but the question of {c} remains.",
    "I saw {a shade} {good} in {village} and thought of {c}.",
    "{pl thing} and {pl thing2} come and go, but {c} {does}.",
    "Some people collect {pl thing}, and others study {c}.",
    "{a thing} wears out, {a thing2} is forgotten, and {c} {does}.",
    "{pl trade} use {pl tool}, and {pl job} use words, and all of them need {c} explained.",
    "Those who {deed} may think of {c} as they work.",
    "He who {deed_third} has time to think about {c}.",
    "{hobby} and {hobby2} have taught many people about {c}.",
    "A person may be {manner} in the morning and {manner2} at night, and {c} is one reason.",
)

# ---------------------------------------------------------------- tales

_HERO = (
    "{name} was {a:manner trade} in {village}.",
    "In {village} there lived {a:manner trade} named {name}, the child of {a job}.",
    "Long ago {name} worked as {a trade} in {village}.",
    "{a trade} named {name} lived near the {place} of {village}.",
    "People in {village} still tell of {name}, who was {a:manner trade}.",
)
_DAILY = (
    "Every day {they} {act_past}, and the {shop} was never far.",
    "All through {season} {they} {act_past} without a complaint.",
    "{their} days were spent {act_ing}, and {their} {tool} was always near.",
    "{they} {act_past} from morning until night.",
)
_LATER = (
    "Years later {name} still spoke of that day.", "{name} never forgot it.",
    "After that, {name} and {name2} were friends.",
    "From then on {name} {act_past} with a lighter heart.",
    "The story went from {village} to {village2}.",
    "{name} told it to {their} {kin} that same night.",
)  # fmt: skip
MORALS = (
    "So we see that {c} {does}.", "In {village} they still say that {c} {does}.",
    "That is how {name} learned that {c} {does}.", "The lesson is old: {c} {does}.",
    "From that day {name} knew that {c} is {is}.", "The tale reminds us that {c} {does}.",
    "And so {name} found out what {c} is: {is}.",
    "Children in {village} learn from this that {c} {does}.",
)  # fmt: skip
TALES = (
    ("honesty, integrity, conscience, trust, truth", (
        _HERO, _DAILY,
        ("One day {they} found {a:goodadj good} near the {place}.",
         "On the way home {they} saw {a:goodadj good} lying beside the {place}.",
         "In {season} {they} picked up {a:goodadj good} that someone had dropped."),
        ("Nobody was watching, and the {good} was worth a week of work.",
         "{name} could have kept the {good}, and no one would have known.",
         "A voice inside said that the {good} could be sold for a sack of flour."),
        ("But {they} asked at every door until {name2} cried out with joy.",
         "Yet {they} knocked on doors until {they} found {name2}, who had lost it.",
         "Still, {they} hung up a note, and the next day {name2} came for the {good}."),
        ("It had belonged to the {kin} of {name2}.", "{name2} had searched for three days.",
         "{name2} offered a coin, but {name} shook {their} head.",
         "To thank {them}, {name2} brought {a holder} of {food}."), _LATER)),
    ("sharing, generosity, friendship, fairness, peace", (
        ("{name} and {name2} both wanted the same {goodadj} {good}.",
         "In {village}, {name} and {name2} quarreled over {a:goodadj good}.",
         "{name} and {name2} found {a:goodadj good} at the {place}, and each wanted to keep it."),
        ("They shouted so loudly that the {pl animal} ran away.",
         "They argued from morning until the {storm} came.",
         "Neither would let go of the {good}."),
        ("At last they went to {a:manner trade}.", "A passing {trade} stopped to listen.",
         "They asked {a trade} near the {shop} to decide."),
        ("The {trade} said that each should use the {good} for one week.",
         "The {trade} asked who would be glad if the other had it, and both fell silent.",
         "The {trade} told them to sell the {good} and to buy {food} for both."),
        ("They tried it, and it worked.", "They laughed and shook hands.",
         "{name} blushed first, and then {name2} did too.",
         "That evening they ate {a holder} of {food} together."))),
    ("patience, waiting, gardening, hope, care, haste", (
        ("{name} planted {a flower} and {a tree} behind {their} house in {village}.",
         "In {season} {name} put {a tree} into the ground near the {place}.",
         "{name} was given a seed of {a flower} by {their} {kin}."),
        ("Each morning {they} dug it up to see if it had grown.",
         "After two days {they} complained that nothing had happened.",
         "{they} watered it ten times a day and sighed."),
        ("{name2}, {a:manner trade}, watched over the fence.",
         "An old {trade} named {name2} saw this and smiled.",
         "{name2} from the {place} came by with {a holder} of {food}."),
        ("{name2} told {them} that a root needs the dark and time.",
         "{name2} said that no plant ever grew because someone stared at it.",
         "{name2} said that some things are done by leaving them alone."),
        ("So {name} waited, and learned {hobby} in the meantime.",
         "{name} put away the spade and went back to work.",
         "From then on {name} watered it once and whistled."),
        ("By {season2} it was in full leaf.", "When {season2} came, it was covered with leaves.",
         "In {season2} the first green shoot appeared."))),
    ("greed, contentment, moderation, wealth, loss", (
        ("{name} owned {a good}, {a good2} and a cellar full of {food}, but {they} wanted more.",
         "{name}, a merchant in {village}, had {food} in every cupboard.",
         "Nobody in {village} had more {pl good} than {name}."),
        ("When {name2} asked for {a holder} of {food}, {they} shut the door.",
         "{they} counted {their} {pl good2} every night and slept badly.",
         "{they} envied {name2}, who had only {a:goodadj good3}."),
        ("One night in {season} {they} tried to carry everything across the bridge at once.",
         "One day {they} loaded a boat with all of it and rowed out in the {storm}.",
         "At last {they} built a wall so high that no sun reached the house."),
        ("The load was too heavy, and half of it sank.",
         "The {storm} came, and little was left by morning.",
         "Mice ate the {food}, and rust took the rest."),
        ("{name2} pulled {them} out and gave {them} soup.",
         "{name2} came without a word and helped {them} to clean up.",
         "{name} sat down and laughed for the first time in years."), _LATER[:2])),
    ("modesty, boasting, humility, pride, vanity, humor", (
        ("At the fair in {village}, {name} and {name2} showed their {pl good}.",
         "{name} and {name2} were both proud of their {pl good}."),
        ("{name} said that {their} {good} was {quality}, and {name2} called {their2} own {more}.",
         "{name} boasted that nobody had {a more} one.",
         "Each of them claimed to have the {more} one."),
        ("A crowd of {pl job} came to look.",
        "Soon all the {pl trade} of the village stood around them.",
         "{a trade} was called to judge."),
        ("Then a child asked what the {pl good} were for.",
         "Just then the {storm} began, and everyone ran, and the {pl good} lay in the mud.",
         "Then {a animal} ran by and knocked over both of them."),
        ("Nobody had an answer.", "The crowd laughed, and at last {name} laughed too.",
         "{name} and {name2} looked at each other and grew red."), _LATER[:1] + _LATER[1:3])),
    ("compassion, kindness, care, tenderness, helping", (
        _HERO,
        ("One morning in {season} {they} found a lame {animal} near the {place}.",
         "In the {storm} {they} saw {a animal} caught in a fence.",
         "Behind the {shop} {they} heard {a animal} that could not move."),
        ("Others said that it was only {a animal}.", "{name2} told {them} to leave it alone.",
         "It was late, and {they} had work to do."),
        ("But {they} wrapped it in an old {shade} blanket and carried it home.",
         "{they} brought it water and waited beside it all night.",
         "{they} set it free with gentle hands."),
        ("After some days it could stand again.", "In a week it was well.",
         "By {season2} it had grown strong."),
        ("When it left, {they} stood at the door and smiled.",
         "It never forgot the way to the {shop}.",
         "Even {name2} came to see it, with {a holder} of {food}."))),
    ("wisdom, happiness, justice, meaning, power, leadership, love, goodness", (
        ("A queen asked her people what {c} was.",
        "The ruler of {village} offered a prize for the best word about {c}.",
         "A king who could not sleep asked everyone about {c}."),
        ("{a trade} brought {a:goodadj good} and made a long speech.",
         "{a trade} said that {c} was {is}.",
         "{pl job} came from far away with gifts of {stuff} and {stuff2}."),
        ("{a trade2} shouted that it was a matter of strength.",
         "{a trade2} said nothing and shrugged.", "{a trade2} sang a song about it."),
        ("Then {name} came, who had only {a holder} of {food}.",
         "Last came {name}, a stranger from {village2}.",
         "At the end of the line stood {name}, in {a:goodadj2 good2} and old boots."),
        ("{name} said that {c} {does}.", "{name} spoke of {seen}.",
         "{name} said that it was like {image}."),
        ("The hall became quiet.", "Nobody laughed.",
        "The ruler gave {them} a chair and asked for more."))),
    ("diligence, discipline, practice, carelessness, haste, learning, work", (
        ("{name} was the apprentice of {a trade}.",
        "{name} wanted to become {a trade} in one {season}.",
         "{name2}, {a trade}, had a young helper named {name}."),
        ("{they} hated to {act} slowly.", "{they} {act_past} as fast as {they} could.",
         "{they} {act_past} while thinking of {food}."),
        ("The {tool} slipped, and a day of work was lost.",
        "Soon there was a heap of spoiled things.",
         "Nothing came out right, and {they} blamed the {tool}."),
        ("{name2} did not shout, but worked beside {them} without a word.",
         "{name2} told {them} to do one thing ten times, and slowly.",
         "{name2} asked {them} to watch for a day and to touch nothing."),
        ("At first {they} was bored.", "It took all of {season2}.",
        "By evening {their} hands were calmer."),
        ("In the end people came from {village} to see the work.",
         "One morning it came out right, and {they} laughed aloud.",
         "When {name2} grew old, {name} took over the work."))),
    ("community, helping, trust, friendship, courage", (
        ("One {season} night, {storm} came down on {village}.",
         "In {season} the river rose and came close to {village}."),
        ("The roof of {name}, {a trade}, was torn away.", "The house of {name} stood in water.",
         "{name} lost {their} {pl good} and all {their} {food}."),
        ("{they} and {name2} had not spoken for a year.",
        "{they} had always said that {they} needed nobody.",
         "{they} did not dare to ask for help."),
        ("But {name2} came with {a good2} and a rope.",
        "Then {pl trade2} came with ladders and lamps.",
         "Yet one by one the neighbors came, and {name2} was the first."),
        ("They worked until the sun came up.", "They formed a chain from the {place} to the house.",
         "They carried bucket after bucket through the dark."),
        ("Then they sat down together and ate {food2}.",
        "In the morning there was a roof and {a holder2} of {food2}.",
         "{name} said thank you to each of them by name."))),
    ("hospitality, kindness, generosity, gratitude, home, loneliness", (
        ("On a night of {storm} someone knocked at the door of {name}, {a trade}.",
         "{name}, {a trade} in {village}, lived alone until one night someone knocked."),
        ("Outside stood {name2}, wet and hungry, with {a:goodadj good} in a bag.",
         "It was {name2}, a stranger on the way to {village2}, who asked for water."),
        ("There was only {a holder} of {food} in the house.",
        "{name} had little more than {food}."),
        ("{they} put a second plate on the table.", "{they} gave {them2} the better half.",
         "{they} made a bed near the fire for the guest."),
        ("They talked about {c} until the lamp went out.",
        "{name2} told stories of {village2} and of its {pl tree}.",
         "They laughed over old tales of {pl animal}."),
        ("In the morning the guest was gone, and on the table lay {a:goodadj good2}.",
         "Years later {name} came to {village2}, and {name2} opened the door.",
         "Before leaving, {name2} repaired the old {good2} by the window."))),
    ("fear, courage, caution, calm, confidence, danger", (
        ("{name} was afraid of the dark path beside the {place}.",
        "Nobody in {village} dared to pass the {place} at night.",
         "{name}, {a trade}, was afraid of the old {place}."),
        ("They said that a monster lived there.", "Everyone had heard it howl in the {storm}.",
         "The {kin} of {name} had seen a great shadow there."),
        ("One night {name2} fell ill, and the doctor lived on the other side.",
         "One evening the {animal} of {name} ran away in that direction."),
        ("{name} took a lantern and {a:goodadj good} and went, with shaking knees.",
         "{name} counted {their} steps and did not turn back."),
        ("Something moved, and {they} held up the light.",
        "There was a noise, and {they} stopped."),
        ("It was only {a animal2} under {a tree}.",
        "It was only the {storm} in the branches of {a tree}.",
         "It was a lost {animal2}, more afraid than {they} was."), _LATER[:2])),
    ("guilt, forgiveness, honesty, shame, mercy, conscience", (
        ("{name} took {a holder} of {food} from {name2} and told nobody.",
        "As a child in {village}, {name} stole {a:goodadj good} from {name2}.",
         "{name} broke {a:goodadj good} that belonged to {name2} and hid it."),
        ("That night {they} could not sleep.",
        "After that {they} crossed the road whenever {name2} came by.",
         "The secret sat in {their} stomach like a stone."),
        ("In {season} {they} could bear it no longer.",
        "At last {they} told {their} {kin}, who said to go and speak."),
        ("{they} walked to the {place} and told {name2} everything.",
         "With red ears {they} knocked at the door and said it in one breath."),
        ("{name2} was silent for a while and then put the kettle on.",
        "{name2} said that the truth had been known all along.",
         "{name2} laughed and cried and asked {them} to come in."),
        ("They repaired the damage together in one afternoon.",
        "{name} worked for two days to make it good.",
         "That night {name} slept like a stone."))),
    ("envy, contentment, gratitude, jealousy, admiration", (
        ("{name} envied the garden of {name2}, where {pl flower} grew under {a tree}.",
         "{name} could not look at the {pl flower} of {name2} without a sour face."),
        ("{their} own garden had {pl flower2} and some {food}, but {they} never saw them.",
         "{they} forgot to water {their} own {pl flower2}."),
        ("One {season} evening {they} looked over the wall.",
        "One day {they} climbed up {a tree2} to see more."),
        ("{name2} was looking back and sighing.",
        "There sat {name2}, tired, with sore hands and {a:goodadj good}.",
         "{name2} asked {them} for the secret of the {pl flower2}."),
        ("They stared at each other and began to laugh.", "{name} was ashamed and climbed down."),
        ("Later they traded seeds and {food2}.", "Soon there was a gate in the wall.",
         "The next spring both gardens had {pl flower} and {pl flower2}."))),
    ("art, love, creativity, family, beauty, memory, tenderness, homesickness", (
        ("{name} carved {a animal} from the wood of {a tree} for {their} {kin}.",
         "{name}, {a trade}, drew {a animal} on the wall for {their} {kin}.",
         "With a small knife {name} made {a animal} out of old {tree} wood."),
        ("It had one short leg and a crooked smile.", "It did not look much like {a animal}.",
         "The ears were too large, and one eye was missing."),
        ("{name2}, {a:manner trade2}, offered to buy a finer one in {village}.",
         "{name2} laughed at it and spoke of {a:goodadj good} in a shop."),
        ("But the {kin} kept it on the table for forty years.",
        "But the {kin} would not sleep without it.",
         "Yet the {kin} carried it from {village} to {village2} and back."),
        ("It was the first thing to be saved from the flood.",
        "When {name} was gone, it was worth more than the house.",
         "In the end {name2} asked for one like it."))),
    ("nature, patience, humility, wisdom, freedom, pride, time, change", (
        ("A young {animal} laughed at an old {animal2} near the {place}.",
         "{a animal} and {a animal2} met under {a tree}.",
         "In {season} {a animal} asked {a animal2} how to live."),
        ("The {animal} said that it had no time to waste.",
        "The {animal} was proud of its speed and its looks.",
         "The {animal} wanted to see the whole world by evening."),
        ("The {animal2} only looked at the {storm} and said nothing.",
        "The {animal2} asked where the other was going.",
         "The {animal2} pointed to the {pl flower}."),
        ("Then the {storm2} came, and the {animal} did not know where to hide.",
         "The {animal} ran off and came back tired, to the same {tree}.",
         "At night the {animal} was lost and called for help."),
        ("The {animal2} made room under the roots.",
        "The {animal2} shared a dry place and some {food}.",
         "The {animal2} showed it the way home."),
        ("{name}, {a trade}, saw it all and told it to {name2}.",
        "{name2} heard this story from {name}, who had seen their tracks."))),
)  # fmt: skip
