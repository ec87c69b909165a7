import Foundation
import MailModel

/// Brings in what is older than the account's `since`, pauses on the way, and goes on.
struct DemoImport: Sendable {
    private static let patience = Duration.seconds(600)
    /// How long one watches that a paused import stands still.
    private static let standstill = Duration.seconds(1)
    private static let pollMilliseconds: Int64 = 50

    /// `user:inbox:PROVIDER`
    let account: String
    let client: DemoClient
    let display: DemoDisplay
    let time: SystemTime

    func play() async throws {
        let started = try await start()
        try await command("pause", started.importId)
        let paused = try await untilStill(started.importId)
        if paused.state == "paused" {
            try await time.sleep(for: Self.standstill)
            let later = try await status(started.importId)
            display.line("  paused at \(figures(paused)); a second later: \(figures(later))")
            try await command("resume", started.importId)
        } else {
            display.line("  it was \(paused.state) before it could be paused")
        }
        let end = try await untilOver(started.importId)
        display.line("  \(end.state): \(figures(end))")
        guard end.state == "completed" else {
            throw DemoFailure("the import is \(end.state): \(end.error ?? "no reason given")")
        }
    }

    private func start() async throws -> Started {
        var body = JSONText()
        body.object { $0.field("accountId", account) }
        let started: Started = try decode(try await client.post("/api/import/start", body.text), 202)
        let eta = started.scan.estimatedSeconds.map { ", \($0) s at this quota" } ?? ""
        display.line(
            "  POST /api/import/start: \(DemoDisplay.grouped(started.scan.messages)) messages, "
                + "\(DemoDisplay.grouped(started.scan.stored)) of them stored already\(eta)")
        return started
    }

    private func command(_ command: String, _ id: String) async throws {
        var body = JSONText()
        body.object { $0.field("importId", id) }
        let answer = try await client.post("/api/import/\(command)", body.text)
        // One that is over cannot be paused; what it is shows next.
        guard answer.status == 200 || answer.status == 409 else { throw refused(answer) }
        display.line("  POST /api/import/\(command): \(answer.status)")
    }

    /// What a pass has in hand when an import is paused is still stored.
    private func untilStill(_ id: String) async throws -> Progress {
        var before = try await status(id)
        while true {
            try await time.sleep(for: .milliseconds(Self.pollMilliseconds * 4))
            let now = try await status(id)
            if now.done == before.done { return now }
            before = now
        }
    }

    private func untilOver(_ id: String) async throws -> Progress {
        let end = time.nowMilliseconds() + Self.patience.milliseconds
        while time.nowMilliseconds() < end {
            let progress = try await status(id)
            if !["scanning", "running", "paused"].contains(progress.state) { return progress }
            display.progress("  \(figures(progress))", at: time.nowMilliseconds())
            try await time.sleep(for: .milliseconds(Self.pollMilliseconds))
        }
        throw DemoFailure("the import was not over within \(Self.patience.inSeconds) s")
    }

    private func figures(_ progress: Progress) -> String {
        let eta = progress.etaSeconds.map { ", ETA \($0) s" } ?? ""
        return
            "\(DemoDisplay.grouped(progress.done)) of \(DemoDisplay.grouped(progress.estimated ?? progress.listed)), "
            + "\(progress.failed) failed\(eta)"
    }

    private func status(_ id: String) async throws -> Progress {
        let list: Imports = try decode(try await client.get("/api/import/status?importId=\(id)"), 200)
        guard let entry = list.imports.first else { throw DemoFailure("the import is not there any more") }
        return entry
    }

    private func decode<Value: Decodable>(_ answer: DemoClient.Answer, _ expected: Int) throws -> Value {
        guard answer.status == expected else { throw refused(answer) }
        return try JSONDecoder().decode(Value.self, from: Data(answer.body))
    }

    private func refused(_ answer: DemoClient.Answer) -> DemoFailure {
        DemoFailure("the import was answered \(answer.status): \(String(decoding: answer.body, as: UTF8.self))")
    }

    private struct Started: Decodable {
        struct Scan: Decodable {
            let messages: Int
            let stored: Int
            let estimatedSeconds: Int?
        }
        let importId: String
        let scan: Scan
    }

    private struct Imports: Decodable {
        let imports: [Progress]
    }

    private struct Progress: Decodable {
        let state: String
        let estimated: Int?
        let listed: Int
        let done: Int
        let failed: Int
        let etaSeconds: Int?
        let error: String?
    }
}
