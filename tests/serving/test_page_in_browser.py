"""The web chat in headless Chromium, against a server that does what a test tells it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from threading import Event

import pytest
from serving.fake_server import Answer, FakeServer, fake_server, id_of, pieces, split
from serving.real_server import real_server

from yocto.chat.conversation import load_conversation

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("needs Chromium", allow_module_level=True)
expect = playwright.expect
expect.set_options(timeout=20_000)  # milliseconds; machines may be busy

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
LOST = "The connection was lost; what came is kept."


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as server:
        yield server


class Chat:
    """The page, and what a reader does there."""

    def __init__(self, context, server: FakeServer) -> None:
        self.context, self.server = context, server
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(server.address)
        self.box = self.page.locator("#box")

    def say(self, text: str) -> None:
        self.box.fill(text)
        self.box.press("Enter")

    def ask(self, text: str, *tokens: bytes) -> None:
        """A question and its whole answer."""
        self.server.answers.append(Answer([*tokens]) if tokens else Answer())
        self.say(text)
        self.idle()

    def idle(self) -> None:
        expect(self.page.locator("#send")).to_have_text("Send")

    def texts(self) -> list[str]:
        return self.page.locator(".message .text").all_text_contents()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def focused(self) -> str:
        """What has the focus: its id, its label or its text."""
        return self.page.evaluate(
            "(e => e.id || e.getAttribute('aria-label') || e.textContent)(document.activeElement)"
        )

    def width(self) -> int:
        """What would have to be scrolled to: the widest of all."""
        return self.page.evaluate(
            "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth,"
            " ...[...document.querySelectorAll('body *:not(.only-heard, .only-heard *)')]"
            " .filter(e => e.checkVisibility() && e.id !== 'facts')"  # cut with an ellipsis
            " .map(e => [e, e.getBoundingClientRect()])"
            " .map(([e, {left, right}]) => Math.max(right, left + e.scrollWidth)))"
        )


@pytest.fixture
def open_chat(browser, server) -> Iterator[object]:
    contexts = []

    def opened(**settings) -> Chat:
        contexts.append(
            browser.new_context(**{"viewport": {"width": 900, "height": 700}} | settings)
        )
        return Chat(contexts[-1], server)

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def context(browser) -> Iterator[object]:
    """What most tests share; a server, and with it an origin and its storage, is each one's own."""
    context = browser.new_context(viewport={"width": 900, "height": 700})
    yield context
    context.close()


@pytest.fixture
def chat(context, server) -> Iterator[Chat]:
    chat = Chat(context, server)
    yield chat
    chat.page.close()
    assert chat.faults == []


# --------------------------------------------------------------------- loading


def test_the_first_paint_needs_one_request(open_chat, server):
    chat = open_chat()
    expect(chat.page.locator("#name")).to_have_text("token-1")
    assert [path for path, _ in server.seen] == ["/", "/v1/models"]
    # And with every other request refused, the same page is painted.
    page = chat.context.new_page()
    page.route("**/v1/**", lambda route: route.abort())
    page.goto(server.address)
    paints = "{type: 'paint', buffered: true}"
    page.evaluate(f"new Promise(r => new PerformanceObserver(() => r()).observe({paints}))")
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.locator("#facts")).to_have_text(
        "The server can't be reached. Is yocto serve still running?"
    )
    (document,) = page.evaluate("performance.getEntriesByType('navigation').map(e => e.toJSON())")
    assert document["encodedBodySize"] <= 100_000


def test_the_header_tells_what_the_model_is(chat):
    expect(chat.page.locator("#facts")).to_have_text(
        "1.2 million parameters · 128 tokens of context · step 400"
    )
    chat.page.click("#open-settings")
    expect(chat.page.locator("#about")).to_contain_text("byte-bpe, 4,000 tokens")
    assert "token-1" in chat.page.title()


DAMAGED = [
    "{", "null", "[]", '"x"', '{"messages": 5, "knobs": [], "system": {}}',
    '{"messages": [{"role": "user", "content": 5}]}',
    '{"messages": [{"role": "user", "content": "a", "tokens": [{}], "note": 7}, null]}',
    '{"knobs": {"temperature": "hot", "top_k": 1e99, "max_tokens": null}, "tokens": 3}',
]  # fmt: skip


def test_whatever_the_browser_kept_the_page_works(chat):
    for kept in DAMAGED:
        chat.page.evaluate("leaving = true")  # nothing is written over it
        chat.page.evaluate("kept => localStorage.setItem('yocto-chat', kept)", kept)
        chat.page.reload()
        assert chat.page.evaluate("localStorage.getItem('yocto-chat')") == kept
        chat.page.click("#new")
        chat.ask("Hello")
        assert chat.texts() == ["Hello", "Courage is calm."]
        assert chat.server.asked()[-1]["temperature"] == 0.7


def test_without_any_storage_the_page_works_and_says_so(open_chat):
    chat = open_chat()
    chat.context.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(window, name, {get() { throw new Error('shut') }})"
    )
    chat.page.reload()
    chat.ask("Hello")
    assert chat.texts() == ["Hello", "Courage is calm."]
    expect(chat.page.locator("#notice")).to_contain_text("keeps nothing")
    assert chat.faults == []


def test_the_page_and_the_real_server_understand_each_other(context, token_project):
    pytest.importorskip("fastapi", reason="needs fastapi")
    pytest.importorskip("uvicorn", reason="needs uvicorn")
    with real_server(token_project) as url:
        chat = Chat(context, FakeServer(url))
        expect(chat.page.locator("#name")).to_have_text("token-1")
        expect(chat.page.locator("#facts")).to_contain_text("step 20")
        chat.page.click("#open-settings")
        chat.page.fill("#knob-max_tokens", "9")
        chat.page.click("#tokens")
        chips = chat.page.locator(".assistant .chip")
        for seed in range(20):  # a model that learnt little may end at once
            chat.page.fill("#knob-seed", str(seed))
            chat.page.click("#new")
            chat.say("Who is calm? 😀")
            chat.idle()
            if chips.count() > 2:
                break
        assert chips.nth(2).get_attribute("data-id").isdecimal()
        chips.nth(2).click()
        expect(chat.page.locator("#unfolded li.chosen")).to_have_count(1)
        assert chat.page.locator("#unfolded li").count() >= 9
        begun = chips.all_text_contents()[:2]
        other = chat.page.locator("#unfolded li button").first
        begun.append(other.text_content().replace("·", " "))
        other.click()
        chat.idle()
        assert chips.all_text_contents()[:3] == begun
        expect(chat.page.locator(".user .chip").filter(has_text="😀").first).to_be_visible()
        chat.page.close()
        assert chat.faults == []


def test_where_storage_is_full_the_oldest_probabilities_go_first(chat):
    chat.page.evaluate(
        "() => { const set = Storage.prototype.setItem;"
        " Storage.prototype.setItem = function (name, value) {"
        " if (value.length > 2500) throw new Error('full'); set.call(this, name, value); }; }"
    )
    chat.ask("One")
    chat.ask("Two")
    kept = json.loads(chat.page.evaluate("localStorage.getItem('yocto-chat')"))
    assert [len(m["tokens"]) for m in kept["messages"]] == [0, 0, 0, 4]
    assert [m["content"] for m in kept["messages"]][1] == "Courage is calm."


# --------------------------------------------------------------------- talking


def test_an_answer_streams_and_the_request_is_openais(chat, server):
    hold = Event()
    server.answers.append(Answer([b"Fear", b" that goes", b" on."], hold=hold))
    chat.say("What is courage?")
    expect(chat.page.locator(".assistant .text")).to_have_text("Fear that goes")
    expect(chat.page.locator("#send")).to_have_text("Stop")
    hold.set()
    chat.idle()
    assert chat.texts() == ["What is courage?", "Fear that goes on."]
    expect(chat.page.locator(".figures").last).to_contain_text("3 tokens")
    (body,) = server.asked()
    assert body["messages"] == [{"role": "user", "content": "What is courage?"}]
    assert body["model"] == "token-1"
    assert body["stream"] and body["logprobs"] and body["top_logprobs"] == 8
    chat.ask("And fear?")
    assert [m["content"] for m in server.asked()[1]["messages"]] == [
        "What is courage?", "Fear that goes on.", "And fear?",
    ]  # fmt: skip


def test_stop_keeps_what_came_and_lets_the_server_know(chat, server):
    server.answers.append(Answer([b"on", b" and"] + [b" on"] * 200, pause=0.03))
    chat.say("Go")
    expect(chat.page.locator(".assistant .text")).to_contain_text("on and on")
    chat.press("Escape")
    chat.idle()
    expect(chat.page.locator("#talk .note")).to_have_text(["", "Stopped."])
    assert chat.texts()[1].startswith("on and on")
    assert server.gone.wait(5)
    assert chat.focused() == "box"


def test_what_was_said_outlasts_a_reload_even_amid_an_answer(chat, server):
    chat.page.click("#open-settings")
    chat.page.fill("#system", "Be brief.")
    chat.page.fill("#knob-top_k", "7")
    chat.ask("One")
    hold = Event()
    server.answers.append(Answer([b"half", b" an", b" answer"], hold=hold))
    chat.say("Two")
    expect(chat.page.locator(".assistant .text").last).to_have_text("half an")
    chat.page.reload()
    hold.set()
    assert chat.texts() == ["One", "Courage is calm.", "Two", "half an"]
    expect(chat.page.locator("#talk .note").last).to_contain_text("closed before the answer ended")
    chat.page.get_by_role("button", name="Try again").click()
    chat.idle()
    body = server.asked()[-1]
    assert body["top_k"] == 7
    assert [m["content"] for m in body["messages"]] == [
        "Be brief.", "One", "Courage is calm.", "Two",
    ]  # fmt: skip


def test_a_message_is_edited_and_the_conversation_goes_on_from_there(chat, server):
    chat.ask("One", b"first")
    chat.ask("Two", b"second")
    chat.page.get_by_role("button", name="Edit").first.click()
    chat.page.get_by_label("Your message, to be changed").fill("Three")
    server.answers.append(Answer([b"third"]))
    chat.press("Enter")
    chat.idle()
    assert chat.texts() == ["Three", "third"]
    assert [m["content"] for m in server.asked()[-1]["messages"]] == ["Three"]
    chat.page.get_by_role("button", name="Undo").click()
    assert chat.texts() == ["One", "first", "Two", "second"]


def test_the_last_answer_is_made_anew(chat, server):
    chat.ask("One", b"first")
    server.answers.append(Answer([b"another"]))
    chat.page.get_by_role("button", name="Retry").click()
    chat.idle()
    assert chat.texts() == ["One", "another"]
    assert [m["content"] for m in server.asked()[-1]["messages"]] == ["One"]


def test_a_new_conversation_can_be_undone(chat):
    chat.ask("One", b"first")
    chat.page.click("#new")
    expect(chat.page.locator("#welcome")).to_be_visible()
    chat.page.get_by_role("button", name="Undo").click()
    assert chat.texts() == ["One", "first"]


def test_text_of_the_model_and_of_the_reader_never_becomes_html(chat):
    evil = "<img src=x onerror=alert(1)><b>bold</b>\u202e&amp;"
    chat.ask(evil, *pieces(evil))
    for tokens in (False, True):
        if tokens:
            chat.page.click("#tokens")
            chat.page.locator(".assistant .chip").nth(2).click()
            expect(chat.page.locator("#unfolded li").nth(5)).to_contain_text("·<b>x</b>")
        else:
            assert chat.texts() == [evil, evil]
        assert chat.page.locator("#talk :is(img, b)").count() == 0
    chat.page.reload()
    assert chat.page.locator("#talk :is(img, b)").count() == 0
    with pytest.raises(playwright.Error, match="TrustedHTML"):  # the browser sees to it
        chat.page.evaluate("document.body.innerHTML = '<b>x</b>'")


def test_knobs_are_sent_reset_and_kept_in_their_range(chat, server):
    chat.page.click("#open-settings")
    for name, value in {"temperature": "1.33", "seed": "5", "min_p": "3"}.items():
        chat.page.fill(f"#knob-{name}", value)
    chat.page.locator("#knob-min_p").blur()
    expect(chat.page.locator("#knob-min_p")).to_have_value("0")  # 3 is out of its range
    chat.ask("One")
    chat.page.get_by_role("button", name="Reset Temperature").click()
    chat.ask("Two")
    chat.page.get_by_role("button", name="Reset all").click()
    chat.ask("Three")
    names = ("temperature", "seed", "min_p", "top_p", "max_tokens", "top_k")
    assert [[body.get(name) for name in names] for body in server.asked()] == [
        [1.33, 5, 0, 0.95, 256, None],
        [0.7, 5, 0, 0.95, 256, None],
        [0.7, None, 0, 0.95, 256, None],
    ]


def test_export_is_what_yocto_chat_loads(chat, tmp_path):
    chat.ask("One", b"caf\xc3", b"\xa9")
    chat.page.click("#open-settings")
    chat.page.fill("#system", "Be brief.")
    with chat.page.expect_download() as download:
        chat.page.click("#export")
    download.value.save_as(tmp_path / "chat.json")
    conversation = load_conversation(tmp_path / "chat.json")
    assert [(m.role, m.text) for m in conversation.messages] == [
        ("user", "One"), ("assistant", "café"),
    ]  # fmt: skip
    assert conversation.system_prompt == "Be brief."
    assert conversation.knobs["max_new_tokens"] == 256
    tokens = json.loads((tmp_path / "chat.json").read_text())["messages"][1]["tokens"]
    assert tokens[0]["bytes"] == [*b"caf\xc3"] and len(tokens[0]["top_logprobs"]) == 6


def test_a_message_is_copied(open_chat):
    chat = open_chat(permissions=["clipboard-read", "clipboard-write"])
    chat.ask("One", "naïve".encode())
    chat.page.get_by_role("button", name="Copy").last.click()
    expect(chat.page.locator("#notice")).to_have_text("Copied.")
    assert chat.page.evaluate("navigator.clipboard.readText()") == "naïve"


# --------------------------------------------------------------------- what goes wrong


def test_an_error_of_the_server_is_told_and_can_be_tried_again(chat, server):
    server.answers.append(Answer(status=500, message="The model is out of memory."))
    chat.say("One")
    expect(chat.page.locator("#talk .note.bad")).to_contain_text("The model is out of memory.")
    chat.idle()
    chat.page.get_by_role("button", name="Try again").click()
    chat.idle()
    assert chat.texts() == ["One", "Courage is calm."]
    assert [m["content"] for m in server.asked()[-1]["messages"]] == ["One"]


def test_a_question_without_an_answer_is_not_told_again(chat, server):
    server.answers.append(Answer(status=500))
    chat.say("One")
    expect(chat.page.locator("#talk .note.bad")).to_be_visible()
    chat.ask("Two")
    assert [m["content"] for m in server.asked()[-1]["messages"]] == ["Two"]


def test_while_the_server_is_busy_the_page_waits_as_long_as_it_is_told(chat, server):
    server.answers += [Answer(status=429, headers={"Retry-After": "2"}), Answer([b"Now"])]
    chat.say("One")
    expect(chat.page.locator("#talk .note").last).to_have_text(
        re.compile(r"^The server is busy\. Trying again in [12] s\.$")
    )
    chat.idle()
    assert chat.texts() == ["One", "Now"]
    assert len(server.asked()) == 2


def test_waiting_for_a_busy_server_can_be_stopped(chat, server):
    server.answers.append(Answer(status=429, headers={"Retry-After": "40"}))
    chat.say("One")
    expect(chat.page.locator("#talk .note").last).to_contain_text("again in 40 s")
    chat.press("Escape")
    expect(chat.page.locator("#talk .note").last).to_have_text("Stopped.")
    assert len(server.asked()) == 1


@pytest.mark.parametrize(("answer", "told"), [
    (Answer([b"half", b" an", b" answer"], cut_after=2), LOST),
    (Answer([b"half", b" an"], fails=True, message="It broke."), "It broke."),
])  # fmt: skip
def test_of_an_answer_that_breaks_off_what_came_stays(chat, server, answer, told):
    server.answers.append(answer)
    chat.say("One")
    expect(chat.page.locator("#talk .note.bad")).to_contain_text(told)
    assert chat.texts() == ["One", "half an"]
    expect(chat.page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_server_that_is_gone_is_told_so(chat):
    chat.page.route("**/v1/**", lambda route: route.abort())
    chat.say("One")
    expect(chat.page.locator("#talk .note.bad")).to_contain_text("can't be reached")
    chat.page.unroute("**/v1/**")
    chat.page.get_by_role("button", name="Try again").click()
    chat.idle()
    assert chat.texts() == ["One", "Courage is calm."]


def test_a_key_is_asked_for_where_the_server_wants_one(browser, server):
    server.key = "secret"
    context = browser.new_context()
    chat = Chat(context, server)
    for typed in ("wrong", "secret"):
        chat.page.get_by_role("textbox", name="API key").fill(typed)
        chat.press("Enter")
        if typed == "wrong":
            expect(chat.page.locator("#key-refused")).to_be_visible()
    expect(chat.page.locator("#name")).to_have_text("token-1")
    chat.ask("One")
    chat.page.reload()
    expect(chat.page.locator("#name")).to_have_text("token-1")
    assert not chat.page.locator("#key-dialog").is_visible()
    assert "secret" not in chat.page.evaluate("JSON.stringify(localStorage)")
    context.close()


def test_events_are_read_wherever_their_bytes_are_cut(chat):
    stream = (
        "data: naïve 😀\r\n\r\n: still here\n\ndata:two\ndata: lines\n\nevent: x\rdata: [DONE]\r\r"
    )
    found = chat.page.evaluate(
        """async (text) => {
          const bytes = new TextEncoder().encode(text), found = new Set();
          for (let cut = 0; cut <= bytes.length; cut++) for (const step of [1, 3, bytes.length]) {
            const parts = [bytes.slice(0, cut)];
            for (let at = cut; at < bytes.length; at += step)
              parts.push(bytes.slice(at, at + step));
            const stream = new ReadableStream({
              start(to) { parts.forEach(part => to.enqueue(part)); to.close(); } });
            const events = [];
            for await (const data of serverEvents(stream)) events.push(data);
            found.add(JSON.stringify(events));
          }
          return [...found].map(JSON.parse);
        }""",
        stream + "\n",
    )
    assert found == [["naïve 😀", "two\nlines", "[DONE]"]]


# --------------------------------------------------------------------- tokens


def test_texts_unfold_into_their_tokens_with_ids(chat):
    chat.ask("Who is calm?", b"Courage", b" is", b".")
    chat.page.click("#tokens")
    own = chat.page.locator(".user .chip")
    expect(own).to_have_text(["Who", " is", " calm", "?"])
    ids = [str(id_of(piece)) for piece in pieces("Who is calm?")]
    assert [chip.get_attribute("data-id") for chip in own.all()] == ids
    answer = chat.page.locator(".assistant .chip")
    expect(answer).to_have_text(["Courage", " is", "."])
    expect(answer.nth(1)).to_have_attribute("data-id", str(id_of(b" is")))
    own.nth(1).click()
    expect(chat.page.locator("#unfolded")).to_contain_text(f"id {id_of(b' is')}, bytes 20 69 73")
    chat.page.click("#tokens")
    assert chat.texts() == ["Who is calm?", "Courage is."]


def test_any_token_of_an_answer_unfolds_into_its_alternatives(chat):
    chat.ask("Who?", b"Courage", b" is", b" calm")
    chat.page.click("#tokens")
    chat.page.locator(".assistant .chip").nth(1).click()
    panel = chat.page.locator("#unfolded")
    expect(panel).to_contain_text("50.0 %, the likeliest")
    rows = panel.locator("li")
    expect(rows).to_have_text([
        "·is (chosen)50.0 %", "·fear25.0 %", "E2 8212.5 %", "·hope6.25 %", "⏎3.13 %",
        "·<b>x</b>1.56 %", "all others1.56 %",
    ])  # fmt: skip
    widths = [row.locator(".bar").bounding_box()["width"] for row in rows.all()]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.05) and widths[1] > widths[2]
    chat.press("Escape")
    expect(panel).to_be_hidden()
    chat.page.reload()  # probabilities are kept
    chat.page.locator(".assistant .chip").nth(2).click()
    expect(panel).to_contain_text("·calm")


def test_an_answer_goes_on_from_another_token(chat, server):
    chat.ask("Who?", b" Courage", b" is", b" calm")
    chat.ask("And?", b"on")
    chat.page.click("#tokens")
    chat.page.locator(".assistant .chip").nth(1).click()
    # Of bytes that are but a part of a character no text goes on.
    expect(chat.page.locator("#unfolded li button")).to_have_text(
        ["·fear", "·hope", "⏎", "·<b>x</b>"]
    )
    server.answers.append(Answer([b" goes", b" on"]))
    chat.page.get_by_role("button", name="·fear").click()
    chat.idle()
    chips = chat.page.locator(".assistant .chip")
    expect(chips).to_have_text([" Courage", " fear", " goes", " on"])
    expect(chat.page.locator(".figures").last).to_contain_text("2 tokens")
    body = server.asked()[-1]
    assert body["continue_final_message"]
    assert [m["content"] for m in body["messages"]] == ["Who?", " Courage fear"]
    chips.nth(1).click()
    expect(chat.page.locator("#unfolded")).to_contain_text("25.0 %, the 2. likeliest")
    chat.page.click("#tokens")
    assert chat.texts() == ["Who?", "Courage fear goes on"]
    chat.page.get_by_role("button", name="Undo").click()
    assert chat.texts() == ["Who?", " Courage is calm", "And?", "on"]


def test_tokens_that_are_parts_of_a_character_show_their_bytes(chat):
    chat.ask("Smile", b"a ", *split("😀é"), b"\xf0\x9f")  # the last is never whole
    assert chat.texts()[1] == "a 😀é\ufffd" or chat.texts()[1] == "a 😀é"
    chat.page.click("#tokens")
    chips = chat.page.locator(".assistant .chip")
    expect(chips).to_have_text(["a ", "😀 F0", "9F", "98", "80", "é C3", "A9", "F0 9F"])
    assert chips.nth(2).get_attribute("aria-label") == "bytes 9F, 50.0 %"


def test_tokens_are_drawn_as_they_come(chat, server):
    chat.page.click("#tokens")
    hold = Event()
    server.answers.append(
        Answer([b"A", *split("é"), b"\xf0", b"\x9f", b"\x98", b"\x80"], hold=hold)
    )
    chat.say("Go")
    chips = chat.page.locator(".assistant .chip")
    expect(chips).to_have_text(["A", "é C3", "A9", "F0", "9F", "98"])
    hold.set()
    chat.idle()
    expect(chips).to_have_text(["A", "é C3", "A9", "😀 F0", "9F", "98", "80"])


def test_white_space_in_tokens_can_be_seen(chat):
    chat.ask("x", b"a\n", b"\n\n", b"\tb", b"\xcc\x81", b"\x07")
    chat.page.click("#tokens")
    expect(chat.page.locator(".assistant .chip")).to_have_text(
        ["a⏎", "⏎⏎", "⇥b", "◌\u0301", "U+0007"]
    )
    assert chat.page.locator(".assistant .text br").count() == 3


def test_tokens_are_reached_and_unfolded_by_keyboard(chat):
    chat.ask("Who?", b"Courage", b" is", b" calm")
    chat.page.click("#tokens")
    chat.page.locator(".assistant .chip").first.focus()
    panel = chat.page.locator("#unfolded")
    chat.press("ArrowRight", "Enter")
    expect(panel.locator("h4")).to_have_text("·is")
    expect(chat.page.locator("#status")).to_contain_text("·fear 25.0 %")
    chat.press("ArrowRight")  # an open panel goes along
    expect(panel.locator("h4")).to_have_text("·calm")
    assert chat.page.locator(".chip[aria-expanded=true]").count() == 1
    chat.press("Escape", "Home")
    assert chat.focused().startswith("“Courage”")
    chat.press("Tab")  # one stop for all tokens of a message
    assert chat.focused() == "Copy"
    chat.press("Shift+Tab")
    assert chat.focused().startswith("“Courage”")


# --------------------------------------------------------------------- screens, keyboards, readers


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_narrow_screen(open_chat, server, width):
    chat = open_chat(viewport={"width": width, "height": 640})
    page = chat.page
    assert chat.width() <= width
    chat.ask("W" * 90, b"Calm", b"a" * 120, *[b" river"] * 60)
    server.answers.append(Answer(status=500, message="x" * 200))
    assert chat.width() <= width
    page.click("#tokens")
    page.locator(".assistant .chip").nth(4).click()
    expect(page.locator("#unfolded")).to_be_visible()
    assert chat.width() <= width
    chat.say("And?")
    expect(page.locator("#talk .note.bad")).to_be_visible()
    assert chat.width() <= width
    page.click("#open-settings")
    assert chat.width() <= width
    assert not chat.box.is_visible()  # the settings have the place of the conversation
    chat.press("Escape")
    box = chat.box.bounding_box()
    assert box["y"] + box["height"] <= 640


def test_nothing_jumps_while_an_answer_comes(open_chat, server):
    chat = open_chat(viewport={"width": 500, "height": 400})
    chat.page.evaluate(
        "window.jumps = []; new PerformanceObserver(l => l.getEntries().forEach(e =>"
        " jumps.push([e.value, ...e.sources.map(s => s.node?.id || s.node?.className)])))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    before = chat.box.bounding_box()
    server.answers.append(Answer([b" river"] * 150, pause=0.002))
    chat.say("Go")
    chat.idle()
    assert chat.box.bounding_box() == before
    jumps = chat.page.evaluate("jumps")
    # What stands below the growing text goes down with it.
    assert {name for _, *names in jumps for name in names} <= {"foot", "figures"}, jumps
    scrolled = (
        "(e => e.scrollHeight - e.scrollTop - e.clientHeight)(document.querySelector('#scroll'))"
    )
    assert chat.page.evaluate(scrolled) < 2  # the end stays in sight


def test_the_order_of_focus_is_that_of_the_page(chat):
    chat.ask("Who?")
    chat.page.reload()
    expect(chat.page.locator("#name")).to_have_text("token-1")
    order = []
    for _ in range(12):
        chat.press("Tab")
        order.append(chat.focused())
    assert order == [
        "Skip to the message box", "new", "tokens", "theme", "open-settings", "scroll",
        "Copy", "Edit", "Copy", "Retry", "box", "send",
    ]  # fmt: skip


def test_a_conversation_by_keyboard_alone(chat, server):
    chat.press("Tab", "Enter")  # the skip link
    chat.page.keyboard.type("One")
    chat.press("Shift+Enter")
    chat.page.keyboard.type("more")
    server.answers.append(Answer([b"first"]))
    chat.press("Enter")
    chat.idle()
    assert chat.texts() == ["One\nmore", "first"]
    chat.press("ArrowUp")
    chat.page.keyboard.type("!")
    server.answers.append(Answer([b"second"]))
    chat.press("Enter")
    chat.idle()
    assert chat.texts() == ["One\nmore!", "second"]
    chat.press("ArrowUp", "Escape")
    assert chat.focused() == "box"
    chat.press("Shift+Tab", "Shift+Tab", "Enter")  # past Undo to Retry
    chat.idle()
    assert chat.texts() == ["One\nmore!", "Courage is calm."]


def test_answers_are_read_out_by_the_sentence(chat, server):
    hold = Event()
    tokens = [b"It ", b"is. ", b"Now", b" what", b"?", b" Th", b"is."]
    server.answers.append(Answer(tokens, hold=hold))
    chat.say("Go")
    expect(chat.page.locator("#spoken p")).to_have_text(["It is.", "Now what?"])
    hold.set()
    expect(chat.page.locator("#spoken p")).to_have_text(["It is.", "Now what?", "This."])
    assert chat.page.locator("#talk[aria-live], #talk [aria-live]").count() == 0


# Of each text that can be seen: contrast with what lies behind it.
TOO_FAINT = """() => {
  const parts = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = parts(c).map(v => (v /= 255) <= 0.04045 ? v / 12.92
    : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = e => getComputedStyle(e).backgroundColor;
  const behind = e => (parts(ground(e))[3] === 0 ? behind(e.parentElement) : ground(e));
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let count = 0;
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !e.checkVisibility({visibilityProperty: true})
      || e.closest('.only-heard, .skip, script, style')) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => x - y);
    const contrast = (b + 0.05) / (a + 0.05);
    count++;
    if (contrast < 4.5) faint.push([walker.currentNode.data, contrast]);
  }
  return [count, faint];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_and_everything_that_is_used_has_a_name(open_chat, server, scheme):
    chat = open_chat(color_scheme=scheme, viewport={"width": 1280, "height": 800})
    tree = chat.context.new_cdp_session(chat.page)
    chat.ask("Who is calm?", b"Courage", *split("é"), b".")
    server.answers.append(Answer(status=500))
    chat.say("And?")
    expect(chat.page.locator("#talk .note.bad")).to_be_visible()
    chat.page.click("#tokens")
    chat.page.click("#open-settings")
    for heat in (False, True):
        if heat:
            chat.page.get_by_label("by probability").check()
        chat.page.locator(".assistant .chip").first.click()
        count, faint = chat.page.evaluate(TOO_FAINT)
        assert count > 40 and faint == []
    nodes = tree.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "textbox", "spinbutton", "radio", "checkbox", "dialog", "slider", "region"}
    used = [n for n in nodes if not n["ignored"] and n["role"]["value"] in roles]
    assert len(used) > 25
    assert [n for n in used if not n.get("name", {}).get("value")] == []


def test_the_theme_is_the_systems_until_it_is_turned_and_then_kept(open_chat):
    chat = open_chat(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = chat.page.evaluate(ground)
    chat.page.get_by_role("button", name="Light theme").click()
    light = chat.page.evaluate(ground)
    assert light != dark
    chat.page.reload()
    assert chat.page.evaluate(ground) == light
    chat.page.get_by_role("button", name="Dark theme").click()
    assert chat.page.evaluate(ground) == dark
    assert chat.page.evaluate("localStorage.getItem('yocto-theme')") is None
