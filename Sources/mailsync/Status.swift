import ArgumentParser
import Foundation
import HTTPTransport

/// `mailsync status`
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows what is synced, what is late and why: the facts of GET /status.",
        discussion: "Asks the service that runs on this machine. DATA_DIR, HTTP_PORT and OPERATOR_TOKEN tell which one."
    )

    @Option(help: "The service's data directory (default: DATA_DIR, else data).")
    var dataDir: String?

    @Option(help: "The service's port (default: HTTP_PORT, else 8080).")
    var port: Int?

    @ArgumentParser.Flag(help: "Print the JSON as it came.")
    var json = false

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let transport = HTTPTransport(logger: LogSettings(level: .error, json: false).logger())
        let port = port ?? environment["HTTP_PORT"].flatMap(Int.init) ?? 8080
        let token = try operatorToken(environment)
        let answer: HTTPResponse
        do {
            answer = try await transport.send(
                HTTPRequest(
                    .get, "http://127.0.0.1:\(port)/status", headers: [("Authorization", "Bearer \(token)")],
                    timeout: .seconds(10)))
        } catch {
            throw ValidationError("no service answers on port \(port) of this machine; is mailsync serve running?")
        }
        await transport.shutdown()
        guard answer.status == 200 else {
            throw ValidationError("the service answered \(answer.status): is this the operator token of its DATA_DIR?")
        }
        print(json ? String(decoding: answer.body, as: UTF8.self) : try StatusText.render(answer.body))
    }

    private func operatorToken(_ environment: [String: String]) throws -> String {
        if let token = environment["OPERATOR_TOKEN"], !token.isEmpty { return token }
        let path = (dataDir ?? environment["DATA_DIR"] ?? "data") + "/operator.token"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ValidationError("\(path) cannot be read: name the service's data directory, or set OPERATOR_TOKEN")
        }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// The facts of `GET /status`, for a terminal.
enum StatusText {
    /// - Throws: `DecodingError` when the body is not a status document.
    static func render(_ body: [UInt8]) throws -> String {
        let status = try JSONDecoder().decode(Document.self, from: Data(body))
        var lines = [
            "mailsync \(status.version)  up \(duration(status.uptime))",
            "nats      " + (status.nats.connected ? "connected" : "NOT CONNECTED") + "  \(status.nats.stream)"
                + (status.nats.trouble.map { "  \($0)" } ?? ""),
            "accounts  " + accounts(status.accounts),
            "outbox    \(status.outboxDepth) waiting"
                + (status.oldestUnpublished.map { ", the oldest for \(duration($0))" } ?? ""),
            "gaps      \(status.gaps)" + (status.givenUp.map { ", \($0) given up" } ?? ""),
            "missing   \(status.missing ?? 0) messages, by the last verifications"
                + (status.oldestVerification.map { "; the oldest \(duration($0)) ago" } ?? ""),
        ]
        if let pushes = status.pushes, pushes.contains(where: { $0.key != "off" && $0.value > 0 }) {
            lines.append("pushes    " + accounts(pushes))
        }
        lines += status.errors.prefix(5).map {
            "error     \($0.code): \($0.lastHour) in the last hour, \($0.total) in all"
        }
        if !status.worst.isEmpty { lines.append("not progressing:") }
        lines += status.worst.map { "  \($0.user)  \($0.provider)/\($0.inbox)  \($0.status)  \($0.reason)" }
        return lines.joined(separator: "\n")
    }

    private static func accounts(_ counts: [String: Int]) -> String {
        let shown = counts.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return shown.isEmpty ? "none" : shown.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    }

    /// `3725` → `1 h 2 min`.
    static func duration(_ seconds: Int) -> String {
        switch seconds {
        case ..<60: "\(seconds) s"
        case ..<3600: "\(seconds / 60) min"
        case ..<86_400: "\(seconds / 3600) h \(seconds % 3600 / 60) min"
        default: "\(seconds / 86_400) d \(seconds % 86_400 / 3600) h"
        }
    }

    private struct Document: Decodable {
        struct Stream: Decodable {
            let connected: Bool
            let stream: String
            let trouble: String?
        }
        struct Failure: Decodable {
            let code: String
            let total: Int
            let lastHour: Int

            enum CodingKeys: String, CodingKey {
                case code, total
                case lastHour = "last_hour"
            }
        }
        struct Account: Decodable {
            let user: String
            let provider: String
            let inbox: String
            let status: String
            let reason: String

            enum CodingKeys: String, CodingKey {
                case provider, status, reason
                case user = "user_id"
                case inbox = "inbox_id"
            }
        }
        let version: String
        let uptime: Int
        let nats: Stream
        let accounts: [String: Int]
        let pushes: [String: Int]?
        let outboxDepth: Int
        let oldestUnpublished: Int?
        let gaps: Int
        let givenUp: Int?
        let missing: Int?
        let oldestVerification: Int?
        let errors: [Failure]
        let worst: [Account]

        enum CodingKeys: String, CodingKey {
            case version, nats, accounts, pushes, gaps, missing, errors
            case givenUp = "given_up"
            case oldestVerification = "oldest_verification_s"
            case uptime = "uptime_s"
            case outboxDepth = "outbox_depth"
            case oldestUnpublished = "oldest_unpublished_s"
            case worst = "worst_accounts"
        }
    }
}
