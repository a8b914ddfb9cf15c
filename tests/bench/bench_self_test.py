#!/usr/bin/python3
"""What the benchmarks count and write: rounds, ratios, aims, the table; no program is run."""
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402
import bench_figures  # noqa: E402
import bench_growth  # noqa: E402
import bench_http  # noqa: E402
import bench_micro  # noqa: E402
import bench_page  # noqa: E402
import bench_plot  # noqa: E402
import bench_report  # noqa: E402
import bench_sessions  # noqa: E402
import bench_tunnel  # noqa: E402
import bench_profile  # noqa: E402
import bench_path  # noqa: E402
import bench_peers  # noqa: E402
import bench_processes  # noqa: E402
from bench_figures import Aim, Row  # noqa: E402


class RoundsTest(unittest.TestCase):
    def test_rounds_go_forth_and_back(self):
        self.assertEqual(bench_figures.by_turns("ABC", 2), list("ABCCBA"))
        self.assertEqual(bench_figures.by_turns("AB", 3), list("ABBAAB"))

    def test_each_round_is_kept_and_the_warm_up_is_not(self):
        asked = []

        def one_round(contestant):
            asked.append(contestant)
            return {"us": len(asked), "rate": 1}

        found = bench_figures.measure({"ours": "o", "nginx": "n"}, 2, one_round)
        self.assertEqual(asked, list("onnoon"[:2]) + list("onno"))
        self.assertEqual(bench_figures.of_figure(found, "us"), {"ours": [3, 6], "nginx": [4, 5]})
        self.assertEqual(bench_figures.of_figure(found, "other"), {})

    def test_without_warm_up(self):
        found = bench_figures.measure({"ours": 7}, 1, lambda c: {"x": c}, warm_up=False)
        self.assertEqual(found, {"ours": {"x": [7]}})


class RowTest(unittest.TestCase):
    def test_ratio_is_the_median_of_pairs_with_the_best_peer(self):
        row = Row("b", "w", "us", {"ours": [10, 30, 12], "nginx": [10, 10, 10],
                                   "haproxy": [20, 20, 20]})
        self.assertEqual(row.best_peer(), "nginx")
        self.assertEqual(row.ratio(), 1.2)
        self.assertEqual(row.spread(), (1.0, 3.0))

    def test_more_may_be_better(self):
        row = Row("b", "w", "MiB/s", {"ours": [30], "nginx": [10], "haproxy": [20]}, less=False)
        self.assertEqual((row.best_peer(), row.ratio()), ("haproxy", 1.5))

    def test_without_a_peer_there_is_no_ratio(self):
        row = Row("b", "w", "ms", {"ours": [3, 5]}, aims=(Aim(20, absolute=True), Aim(1.0)))
        self.assertIsNone(row.ratio())
        self.assertEqual(row.spread(), (3, 5))
        self.assertEqual(row.verdicts(), [("≤ 20 ms", 4, True, 0.0)])

    def test_aims_at_the_bound_and_past_it(self):
        for aim, value, met in ((Aim(0.9), 0.9, True), (Aim(0.9), 0.901, False),
                                (Aim(3.0, most=False), 3.0, True),
                                (Aim(3.0, most=False), 2.99, False)):
            with self.subTest(aim=aim, value=value):
                self.assertEqual(aim.is_met(value), met)
        self.assertAlmostEqual(Aim(2.0, most=False).missed_by(1.5), 25)
        self.assertAlmostEqual(Aim(0.8).missed_by(1.0), 25)
        self.assertEqual(Aim(0.8).missed_by(0.1), 0)

    def test_table(self):
        rows = [Row("a", "what", "us", {"ours": [9.0], "nginx": [10.0]}, aims=(Aim(0.75),)),
                Row("b", "more", "s", {"ours": [1.0], "haproxy": [2.0]}, aims=(Aim(0.5),)),
                Row("c", "", "", why_not="no root", aims=(Aim(3, most=False),))]
        lines = bench_figures.table(rows).splitlines()
        self.assertEqual(lines[0], "| Bench | Figure | ours | nginx | haproxy | ratio to the best "
                                   "| of a round | aim |  |")
        self.assertEqual(lines[2], "| a | what, us | 9.00 | 10.0 | – | 0.90 | 0.90 to 0.90 "
                                   "| ≤ 0.75 × | missed by 20 % |")
        self.assertEqual(lines[3], "| b | more, s | 1.00 | – | 2.00 | 0.50 | 0.50 to 0.50 "
                                   "| ≤ 0.5 × | met |")
        self.assertIn("not measured: no root", lines[4])
        self.assertEqual({line.count("|") for line in lines}, {lines[0].count("|")})

    def test_what_the_medians_say_otherwise_is_not_met(self):
        row = Row("a", "w", "us", {"ours": [10, 20, 19], "nginx": [11, 21, 10]}, aims=(Aim(1.0),))
        self.assertLess(row.ratio(), 1)
        self.assertIn("unclear: by the medians 1.73", bench_figures.table([row]))

    def test_json_holds_every_round(self):
        row = Row("a", "what", "us", {"ours": [9.0, 8.0], "nginx": [10.0, 10.0]}, aims=(Aim(0.9),))
        said = json.loads(json.dumps(bench_figures.as_json(row)))
        self.assertEqual(said["values"]["ours"], [9.0, 8.0])
        self.assertEqual(said["best_peer"], "nginx")
        self.assertEqual(said["verdicts"][0]["met"], True)

    def test_json_can_be_read_again(self):
        for row in (Row("a", "what", "MiB/s", {"ours": [9.0]}, less=False, compared=False,
                        aims=(Aim(2.0, most=False), Aim(1.0, absolute=True)), point=("c", 10)),
                    Row("c", "", "", why_not="no root")):
            self.assertEqual(bench_figures.from_json(json.loads(json.dumps(
                bench_figures.as_json(row)))), row)


    def test_rounds_that_disagree_are_marked(self):
        for values, noisy in (([10, 10, 12, 12], False), ([10, 10, 12.3, 12.3], True),
                              ([10] * 6 + [90], False),  # one round is no more than one
                              ([1, 10, 100], False)):     # too few to say so
            with self.subTest(values=values):
                row = Row("a", "w", "us", {"ours": values}, aims=(Aim(200, absolute=True),))
                self.assertEqual(row.is_noisy(), noisy)
                end = " met; noisy |" if noisy else " met |"
                self.assertTrue(bench_figures.table([row]).endswith(end))
        beside = Row("a", "w", "us", {"ours": [1, 2, 4, 8], "nginx": [1, 2, 4, 8]})
        self.assertFalse(beside.is_noisy())  # all of them alike

    def test_a_row_may_stand_beside_a_peer_without_a_ratio(self):
        row = Row("a", "w", "times", {"ours": [2], "nginx": [1]}, aims=(Aim(1.5, absolute=True),),
                  compared=False)
        self.assertEqual((row.ratio(), row.verdicts()[0][1]), (None, 2))


class GrowthTest(unittest.TestCase):
    def test_one_more_at_the_largest_size_beside_the_next(self):
        row = bench_growth.growth_row("b", "cost", 100, 1000, {"ours": [10, 20], "nginx": [1, 1]},
                                      {"ours": [11, 22], "nginx": [2, 2]})
        self.assertEqual(row.what, "cost, 1,000 by 100")
        self.assertEqual(row.values, {"ours": [1.1, 1.1], "nginx": [2, 2]})
        self.assertEqual([met for _, _, met, _ in row.verdicts()], [True])
        worse = bench_growth.growth_row("b", "cost", 1, 2, {"ours": [10]}, {"ours": [11.1]})
        self.assertEqual([met for _, _, met, _ in worse.verdicts()], [False])

    def test_rows_of_connections(self):
        found = {(name, count): [{"us": 10 + by, "kib": 4 * count + by}]
                 for by, name in enumerate(("nginx", "ours")) for count in bench_growth.CONNECTIONS}
        rows = bench_growth.rows_of(found)
        self.assertEqual(list(rows[0].values), ["ours", "nginx"])
        self.assertEqual(rows[3].point, ("connections-processor", 1000))
        self.assertEqual(rows[3].values, {"ours": [11], "nginx": [10]})
        self.assertEqual(rows[-2].values, {"ours": [1], "nginx": [1]})
        self.assertAlmostEqual(rows[-1].values["ours"][0], (4001 / 1000) / (401 / 100))

    def test_rows_of_sessions(self):
        found = {"idle": {10: [50], 100: [100]}, "us": {10: [40, 40], 100: [50, 50]},
                 "kib": {10: [500], 100: [5000]}}
        rows = bench_sessions.growth_rows(found, 1000)
        memory = [row for row in rows if row.point and row.point[0] == "sessions-memory"]
        self.assertEqual(memory[1].values, {"ours": [5000], "ssh -L": [100_000]})
        self.assertEqual([row.median("ours") for row in rows[-3:]], [0.2, 1.25, 1])
        self.assertEqual([row.verdicts()[0][2] for row in rows[-3:]], [True, False, True])


class PlotTest(unittest.TestCase):
    CHART = bench_plot.Chart("name", "A < B", "connections", "µs", dotted=True)

    def test_ticks(self):
        self.assertEqual(bench_plot.ticks(1, 1000), [1, 10, 100, 1000])
        self.assertEqual(bench_plot.ticks(10, 100), [10, 20, 50, 100])
        self.assertEqual(bench_plot.ticks(0.5, 20), [1, 10])

    def test_bounds_hold_all_values(self):
        self.assertEqual(bench_plot.bounds([21, 45]), (10, 100))
        self.assertEqual(bench_plot.bounds([3, 9000]), (1, 10_000))
        self.assertEqual(bench_plot.bounds([10]), (10, 100))
        self.assertEqual(bench_plot.bounds([1, 1000]), (1, 1000))
        for value in (0.013, 1.0, 4.99, 5.01, 77, 999):
            low, high = bench_plot.bounds([value, value * 1.3])
            self.assertTrue(low <= value * 1.0001 and high >= value * 1.2999, (low, value, high))

    def test_labels(self):
        self.assertEqual([bench_plot.label(value) for value in (0.02, 0.5, 1, 10_000)],
                         ["0.02", "0.5", "1", "10,000"])

    def test_a_scale_is_logarithmic(self):
        scale = bench_plot.Scale(1, 100, 0, 200)
        self.assertEqual([scale(1), scale(10), scale(100)], [0, 100, 200])

    def test_names_at_the_ends_do_not_cover_each_other(self):
        self.assertEqual(bench_plot.apart([100, 10, 101, 102], 20), [100, 10, 120, 140])

    def test_what_grows_as_x_does(self):
        scale = bench_plot.Scale(1, 1000, 0, 1)
        self.assertEqual(bench_plot.dotted([(1, 2), (10, 99)], 100, scale), [(1, 2), (100, 200)])
        self.assertEqual(bench_plot.dotted([(1, 20)], 100, scale)[1], (50, 1000))

    def test_picture(self):
        said = bench_plot.svg(self.CHART, {"ours": [(1, 10), (10, 0), (100, 50)],
                                           "nginx": [(1, 20), (100, 400)], "none": [(1, 0)]})
        root = xml.etree.ElementTree.fromstring(said)
        name = "{http://www.w3.org/2000/svg}"
        self.assertEqual(root.find(f"{name}title").text, "A < B")
        lines = root.findall(f"{name}polyline")
        self.assertEqual(len(lines), 3)  # linear, ours, nginx
        self.assertEqual(lines[1].get("points").count(","), 2)  # without the 0
        texts = {text.text for text in root.findall(f"{name}text")}
        self.assertLessEqual({"A < B", "connections", "µs", "ours", "nginx", "linear", "10", "100"},
                             texts)
        self.assertNotIn("none", texts)
        self.assertEqual(len(root.findall(f"{name}circle")), 2)
        for text in root.findall(f"{name}text"):
            self.assertTrue(0 <= float(text.get("x")) <= bench_plot.WIDTH, text.text)
            self.assertTrue(0 <= float(text.get("y")) <= bench_plot.HEIGHT, text.text)
        self.assertIn("prefers-color-scheme: dark", said)

    def test_files_of_the_charts_that_have_points(self):
        rows = [bench_figures.as_json(Row("b", "w", "us", {"ours": [y], "nginx": [2 * y]},
                                          point=("name", x))) for x, y in ((10, 5.0), (1, 3.0))]
        rows.append(bench_figures.as_json(Row("b", "w", "us", {"ours": [1.0]})))
        self.assertEqual(bench_plot.series_of(rows, "name"),
                         {"ours": [(1, 3), (10, 5)], "nginx": [(1, 6), (10, 10)]})
        with tempfile.TemporaryDirectory() as directory:
            other = bench_plot.Chart("other", "", "", "")
            written = bench_plot.write(f"{directory}/plots", [self.CHART, other], rows)
            self.assertEqual(written, [self.CHART])
            self.assertEqual(os.listdir(f"{directory}/plots"), ["name.svg"])

    def test_every_chart_has_a_file_of_its_own(self):
        names = [chart.name for chart in bench.CHARTS]
        self.assertEqual(len(set(names)), len(names))


class ReportTest(unittest.TestCase):
    ABOUT = {"at": "2026-11-22 01:00 UTC", "revision": "abc", "seconds": 700, "processors": 2,
             "processor": "CPU", "memory_gib": 8, "kernel": "6.1", "system": "Debian 12",
             "quick": False, "benches": list(bench.BENCHES),
             "others_percent": {"body": 3, "tunnel": 40, "micro": 5},
             "versions": {"nginx": "nginx version: nginx/1.22.1", "Chromium": "not installed"}}

    def said(self, **about):
        rows = [Row("a", "w", "us", {"ours": [9.0], "nginx": [10.0]}, aims=(Aim(0.95),),
                    point=("connections-memory", 10)),
                Row("b", "w", "us", {"ours": [9.0], "nginx": [10.0]}, aims=(Aim(0.5),)),
                Row("c", "w", "us", {"ours": [10, 20, 19], "nginx": [11, 21, 10]},
                    aims=(Aim(1.0),))]
        return {"machine": {**self.ABOUT, **about},
                "rows": [bench_figures.as_json(row) for row in rows]}

    def test_section(self):
        text = bench_report.section(self.said(), bench.CHARTS[:1])
        self.assertIn("nginx 1.22.1, Chromium: not installed.", " ".join(text.split()))
        self.assertIn("Of 3 aims 1 are met, 1 missed and 1 unclear", " ".join(text.split()))
        self.assertIn("3 to 40 % of the processors (median 5 %, most before `tunnel`)",
                      " ".join(text.split()))
        self.assertIn("| a | w, us | 9.00 | 10.0 |", text)
        chart = bench.CHARTS[0]
        self.assertIn(f"![{chart.title}](performance/{chart.name}.svg)", text)
        self.assertNotIn("###", bench_report.section(self.said(), []))

    def test_lines_are_wrapped(self):
        lines = bench_report.wrapped("word " * 100).splitlines()
        self.assertEqual(max(map(len, lines)), 119)
        self.assertEqual(" ".join(lines), "word " * 99 + "word")

    def test_only_what_stands_between_the_marks_changes(self):
        document = f"before\n{bench_report.BEGIN}\n\nold\n\n{bench_report.END}\nafter\n"
        once = bench_report.with_section(document, "new")
        self.assertEqual(once, document.replace("old", "new"))
        self.assertEqual(bench_report.with_section(once, "new"), once)
        for wrong in ("no marks", document + document, bench_report.BEGIN,
                      f"{bench_report.END}\n{bench_report.BEGIN}\n"):
            with self.subTest(wrong=wrong), self.assertRaises(ValueError):
                bench_report.with_section(wrong, "new")

    def test_only_a_full_run_counts(self):
        self.assertEqual(bench_report.why_not(self.ABOUT), "")
        self.assertIn("--quick", bench_report.why_not({**self.ABOUT, "quick": True}))
        self.assertEqual(bench_report.why_not({**self.ABOUT, "benches": list(bench.BENCHES)[1:]}),
                         f"these figures are without {list(bench.BENCHES)[0]}")

    def test_document_and_pictures(self):
        with tempfile.TemporaryDirectory() as tree:
            os.mkdir(f"{tree}/docs")
            for path, text in (("figures.json", json.dumps(self.said())), ("docs/performance.md",
                               f"x\n{bench_report.BEGIN}\n{bench_report.END}\n")):
                with open(f"{tree}/{path}", "w", encoding="utf-8") as file:
                    file.write(text)
            done = subprocess.run([bench_report.__file__, f"{tree}/figures.json", tree],
                                  capture_output=True, text=True, check=True)
            self.assertIn("3 rows, 1 plots", done.stdout)
            self.assertEqual(os.listdir(f"{tree}/docs/performance"), ["connections-memory.svg"])
            with open(f"{tree}/docs/performance.md", encoding="utf-8") as file:
                self.assertIn("| a | w, us |", file.read())

    def test_the_document_of_this_tree_has_its_marks(self):
        document = (bench_processes.ROOT / "docs/performance.md").read_text(encoding="utf-8")
        self.assertIn("| --- |", bench_report.with_section(document, "| --- |"))

    def test_share_of_other_programs(self):
        before = bench.busy_ticks("cpu  10 0 10 70 10 0 0 0 5 5\ncpu0 1\n")
        after = bench.busy_ticks("cpu  30 0 20 140 10 0 0 0 9 9\ncpu0 1\n")
        self.assertEqual(before, (20, 100))
        self.assertEqual(bench.others_percent(before, after), 30)
        self.assertEqual(bench.others_percent(before, before), 0)


class FakeBrowser:
    """The other end of a Chromium's pipes; `answers`: what each method is answered with."""

    def __init__(self, answers):
        self.asked, self._answers = [], answers
        theirs_in, to = os.pipe()
        from_, theirs_out = os.pipe()
        self.chromium = bench_page.Chromium(None, to, from_)
        self._ends = (to, from_)
        self._thread = threading.Thread(target=self._run, args=(theirs_in, theirs_out))
        self._thread.start()

    def _run(self, theirs_in, theirs_out):
        with open(theirs_in, "rb") as reads, open(theirs_out, "wb", buffering=0) as writes:
            got = b""
            while piece := os.read(reads.fileno(), 65536):
                *texts, got = (got + piece).split(b"\0")
                for asked in map(json.loads, texts):
                    self.asked.append(asked)
                    for answer in self._answers[asked["method"]]:
                        answer = {"id": asked["id"], **answer} if "method" not in answer else answer
                        text = json.dumps(answer).encode() + b"\0"
                        writes.write(text[:5])  # a message may come in parts
                        writes.write(text[5:])

    def close(self):
        for end in self._ends:
            os.close(end)
        self._thread.join()


class PageTest(unittest.TestCase):
    def browser(self, assets, **more):
        said = json.dumps({"ms": 512.5, "assets": assets})
        browser = FakeBrowser({
            "Target.createBrowserContext": [{"result": {"browserContextId": "P"}}],
            "Target.createTarget": [{"result": {"targetId": "T"}}],
            "Target.attachToTarget": [{"method": "Target.attachedToTarget", "params": {}},
                                      {"result": {"sessionId": "S"}}],
            "Page.enable": [{"result": {}}],
            "Page.navigate": [{"result": {"frameId": "F"}},
                              {"method": "Page.loadEventFired", "params": {}}],
            "Runtime.evaluate": [{"result": {"result": {"type": "string", "value": said}}}],
            "Target.disposeBrowserContext": [{"result": {}}], **more})
        self.addCleanup(browser.close)
        return browser

    def load(self, browser):
        path = bench_path.Path("ours", 9000, "/port/1", (), ())
        return bench_page.load_round(browser.chromium)(path)

    def test_each_load_has_a_profile_that_goes_again(self):
        browser = self.browser(bench_page.ASSETS)
        self.assertEqual([self.load(browser), self.load(browser)], [{"ms": 512.5}] * 2)
        methods = [asked["method"] for asked in browser.asked]
        self.assertEqual(methods.count("Target.createBrowserContext"), 2)
        self.assertEqual(methods[-1], "Target.disposeBrowserContext")
        page = next(one for one in browser.asked if one["method"] == "Target.createTarget")
        self.assertEqual(page["params"]["browserContextId"], "P")
        visit = next(one for one in browser.asked if one["method"] == "Page.navigate")
        self.assertEqual((visit["sessionId"], visit["params"]["url"]),
                         ("S", f"http://127.0.0.1:9000/port/1/page/{bench_page.ASSETS}"))

    def test_a_page_without_all_its_assets_is_no_figure(self):
        with self.assertRaisesRegex(AssertionError, "199 assets instead of 200"):
            self.load(self.browser(bench_page.ASSETS - 1))

    def test_what_the_browser_complains_of(self):
        for method, answer, why in (
                ("Page.navigate", {"result": {"errorText": "net::ERR_REFUSED"}}, "ERR_REFUSED"),
                ("Page.enable", {"error": {"message": "no such page"}}, "no such page")):
            with self.subTest(method=method), self.assertRaisesRegex(AssertionError, why):
                self.load(self.browser(0, **{method: [answer]}))


class SourcesTest(unittest.TestCase):
    def test_requests_of_wrk(self):
        text = "  2 threads\n  12345 requests in 1.00s, 3MB read\nRequests/sec: 12345.67\n"
        self.assertEqual(bench_http.requests_of(text), 12345)
        for wrong in ("  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 1\n"):
            with self.subTest(wrong=wrong), self.assertRaises(AssertionError):
                bench_http.requests_of(text + wrong)

    def test_curl_moves_all_of_it_in_parts(self):
        path = bench_path.Path("ours", 9000, "/port/1", (), ())
        down = bench_tunnel.curl(path, "down", 2, 8, "file")
        self.assertEqual(down.count("http://127.0.0.1:9000/port/1/bytes/4194304"), 2)
        up = bench_tunnel.curl(path, "up", 2, 8, "file")
        self.assertEqual((up.count("-T"), up.count("-o")), (2, 2))
        self.assertEqual(bench_tunnel.moved_bytes("0 4\n0 4\n", "down"), 8)
        self.assertEqual(bench_tunnel.moved_bytes("3 2\n4 2\n", "up"), 7)

    def test_rows_beside_a_download(self):
        found = {"ours": {"p99": [40], "rate": [100]}, "ssh -L": {"p99": [50], "rate": [50]}}
        echo, bulk = bench_tunnel.beside_rows(found, "b", Aim(0.8), (Aim(2.0, most=False),))
        self.assertEqual([row.verdicts()[0][2] for row in (echo, bulk)], [True, True])

    def test_micro_benchmarks(self):
        line = {"run_type": "iteration", "time_unit": "us", "cpu_time": 2.0}
        text = json.dumps({"benchmarks": [
            {**line, "name": "port_pool/100"}, {**line, "name": "port_pool/10000"},
            {**line, "name": "port_pool/100", "run_type": "aggregate"}]})
        times = bench_micro.times_of(text)
        self.assertEqual(times, {"port_pool/100": [2000], "port_pool/10000": [2000]})
        self.assertEqual(bench_micro.rows_of(times)[-1].median("ours"), 1)
        failed = {"benchmarks": [{**line, "name": "x", "error_occurred": True,
                                  "error_message": "misread"}]}
        with self.assertRaises(AssertionError):
            bench_micro.times_of(json.dumps(failed))

    def test_configurations_have_their_places_filled_in(self):
        nginx = bench_peers.nginx_text("/d", "127.0.0.1:1", "127.0.0.1:2", "/port/2")
        self.assertIn("listen 127.0.0.1:1 backlog", nginx)
        self.assertIn("location /port/2/ {", nginx)
        self.assertIn("proxy_pass http://app/;", nginx)
        self.assertEqual(nginx.count("{"), nginx.count("}"))
        self.assertIn("proxy_pass http://app;", bench_peers.nginx_text("/d", "a", "b", "", ""))
        haproxy = bench_peers.haproxy_text("127.0.0.1:1", "127.0.0.1:2", "/port/2")
        self.assertIn("replace-path /port/2/(.*) /\\1", haproxy)
        self.assertIn("server app 127.0.0.1:2", haproxy)

    def test_processor_time_of_this_process_grows(self):
        before = bench_processes.processor_seconds(os.getpid())
        sum(range(100000))
        self.assertGreater(bench_processes.processor_seconds(os.getpid()), before)
        self.assertGreater(bench_processes.private_kib(os.getpid()), 0)

    def test_functions_of_a_profile(self):
        report = ("# Overhead  Symbol\n    12.50%  [k] tcp_sendmsg_locked\n"
                  "     4.03%  [.] hpc::(anonymous namespace)::Side::on_data(std::span<char>)\n"
                  "     1.00%  [.] malloc.part.0\n")
        self.assertEqual(bench_profile.functions_of(report),
                         [(12.5, "kernel", "tcp_sendmsg_locked"), (4.03, "ours", "hpc::Side::on_data"),
                          (1.0, "ours", "malloc")])

    def test_a_bench_that_cannot_run_says_why(self):
        def cannot(_quick):
            raise bench_processes.CannotRun("no sshd")

        bench.BENCHES["test"] = cannot
        self.addCleanup(bench.BENCHES.pop, "test")
        rows, broke = bench.run("test", True)
        self.assertEqual((rows[0].why_not, broke), ("no sshd", False))


if __name__ == "__main__":
    unittest.main()
