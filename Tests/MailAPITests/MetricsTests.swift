import MailModel
import MailTestSupport
import Metrics
import Testing

@testable import MailAPI

@Suite struct PrometheusMetricsTests {
    let metrics = PrometheusMetrics()

    @Test func rendersEveryKind() {
        Counter(label: "hits_total", dimensions: [("path", "/a"), ("code", "200")], factory: metrics).increment(by: 3)
        Gauge(label: "depth", factory: metrics).record(2.5)
        Meter(label: "level", factory: metrics).set(7)
        #expect(
            metrics.render() == """
                # TYPE depth gauge
                depth 2.5
                # TYPE hits_total counter
                hits_total{path="/a",code="200"} 3
                # TYPE level gauge
                level 7

                """)
    }

    @Test func histogramsAreCumulativeAndInSeconds() {
        let timer = Timer(label: "wait_seconds", dimensions: [("a", "b")], factory: metrics)
        for milliseconds in [1, 3, 300, 90_000] { timer.recordMilliseconds(milliseconds) }
        let lines = metrics.render().split(separator: "\n").map(String.init)
        #expect(lines.contains(#"wait_seconds_bucket{a="b",le="0.001"} 1"#))
        #expect(lines.contains(#"wait_seconds_bucket{a="b",le="0.005"} 2"#))
        #expect(lines.contains(#"wait_seconds_bucket{a="b",le="0.5"} 3"#))
        #expect(lines.contains(#"wait_seconds_bucket{a="b",le="60"} 3"#))
        #expect(lines.contains(#"wait_seconds_bucket{a="b",le="+Inf"} 4"#))
        #expect(lines.contains(#"wait_seconds_count{a="b"} 4"#))
        #expect(lines.contains(#"wait_seconds_sum{a="b"} 90.304"#))
    }

    @Test func valuesAreEscapedAndNamesMadeValid() {
        Counter(label: "9 odd-näme", dimensions: [("la bel", "a\"b\\c\nd")], factory: metrics).increment()
        #expect(metrics.render().contains(#"_9_odd_n_me{la_bel="a\"b\\c\nd"} 1"#))
    }

    @Test func cardinalityIsBounded() {
        for number in 0..<1000 {
            Counter(label: "c", dimensions: [("user", "\(number)")], factory: metrics).increment()
            Counter(label: "name_\(number)", factory: metrics).increment()
        }
        let lines = metrics.render().split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("c{") }.count == PrometheusMetrics.seriesPerNameMax + 1)
        #expect(lines.contains(#"c{overflow="true"} 800"#))
        #expect(lines.filter { $0.hasPrefix("# TYPE") }.count == PrometheusMetrics.namesMax)
    }

    @Test func anotherKindUnderTheSameNameDoesNotSpoilTheFirst() {
        Counter(label: "x", factory: metrics).increment()
        Gauge(label: "x", factory: metrics).record(99)
        #expect(metrics.render() == "# TYPE x counter\nx 1\n")
    }

    @Test func manyThreadsCountRight() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { [metrics] in
                    for _ in 0..<1000 { Counter(label: "n", factory: metrics).increment() }
                }
            }
        }
        #expect(metrics.render().contains("n 8000\n"))
    }

    @Test func theOperatorGetsServiceAndRequestFigures() async throws {
        let fixture = APIFixture()
        try await fixture.run { (api: API) async throws in
            for _ in 0..<3 { _ = try await api.call("GET", "/secret/\(Int.random(in: 0...9))") }
            _ = try await api.call("PROPFIND", "/healthz")
            let answer = try await api.call("GET", "/metrics", bearer: APIFixture.operatorToken)
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let text = answer.text
            #expect(text.contains(#"mailsync_accounts{status="active"} 3"#))
            #expect(text.contains("mailsync_outbox_depth 7\n"))
            #expect(text.contains("mailsync_oldest_unpublished_seconds 9\n"))
            #expect(text.contains(#"mailsync_http_requests_total{method="GET",path="none",status="404"} 3"#))
            #expect(text.contains(#"mailsync_http_requests_total{method="other",path="/healthz",status="405"} 1"#))
            #expect(!text.contains("secret"))
        }
    }
}

@Suite struct SinceDateTests {
    @Test(
        arguments: [
            ("1970-01-01", 0), ("2024-01-01", 1_704_067_200), ("2024-02-29", 1_709_164_800),
            ("2000-03-01", 951_868_800),
            ("2024-01-01T00:00:00Z", 1_704_067_200), ("2024-01-01t12:30:15.999z", 1_704_112_215),
            ("2024-01-01T00:00:00+01:00", 1_704_063_600), ("2023-12-31T23:30:00-00:30", 1_704_067_200),
            ("2016-12-31T23:59:60Z", 1_483_228_800), ("9999-12-31", 253_402_214_400),
        ] as [(String, Int64)])
    func reads(_ text: String, _ expected: Int64) { #expect(SinceDate.parse(text) == expected) }

    @Test(arguments: [
        "", "2024", "2024-1-1", "2024-13-01", "2024-00-10", "2023-02-29", "1900-01-01", "2100-02-29", "2024-01-32",
        "2024-01-01T", "2024-01-01T00:00:00", "2024-01-01 00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00+1:00", "2024-01-01T00:00:00Zx", "-024-01-01", "２０２４-01-01",
        "2024-01-01\n",
    ])
    func refuses(_ text: String) { #expect(SinceDate.parse(text) == nil) }
}
