import Foundation
import HTTPTransport
import Logging
import MailModel
import MailTestSupport
import Synchronization

@testable import Accounts

extension AccountKey {
    static func test(_ user: String, inbox: String = "primary") throws -> AccountKey {
        AccountKey(user: try UserID(user), provider: .google, inbox: try InboxID(inbox))
    }
}

extension OAuthTokens {
    static func test(_ name: String, expiry: UnixSeconds? = nil) -> OAuthTokens {
        OAuthTokens(access: Secret("access-\(name)"), refresh: Secret("refresh-\(name)"), expiry: expiry)
    }
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension EncryptionKeys {
    static func test(_ text: String = "k1:" + String(repeating: "0123456789abcdef", count: 4)) throws -> EncryptionKeys
    {
        try EncryptionKeys(parsing: text)
    }
}

/// The permission bits of a file.
func mode(of path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
}

/// A file of the reference material.
func specification(_ path: String) throws -> [UInt8] {
    let root = SharedMaterial.specs ?? ""
    return Array(try Data(contentsOf: URL(filePath: "\(root)/\(path)")))
}

/// Answers requests one after the other from a script, and can hold an answer back until told.
final class ScriptedExchange: Sendable {
    enum Reply: Sendable {
        case answer(Int, String)
        case answerWith(HTTPResponse)
        case fail(TransportError)
    }
    private struct State {
        var replies: [Reply]
        var requests: [HTTPRequest] = []
        var held = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var arrivals: [(count: Int, resume: CheckedContinuation<Void, Never>)] = []
    }
    private let state: Mutex<State>

    /// The last reply is repeated for ever.
    init(_ replies: Reply..., held: Bool = false) { state = Mutex(State(replies: replies, held: held)) }

    var requests: [HTTPRequest] { state.withLock { $0.requests } }
    var bodies: [String] { requests.map { String(decoding: $0.body ?? [], as: UTF8.self) } }

    func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        let (reply, arrived) = state.withLock { state -> (Reply, [CheckedContinuation<Void, Never>]) in
            state.requests.append(request)
            let reply = state.replies.count > 1 ? state.replies.removeFirst() : state.replies[0]
            let count = state.requests.count
            let arrived = state.arrivals.filter { $0.count <= count }.map(\.resume)
            state.arrivals.removeAll { $0.count <= count }
            return (reply, arrived)
        }
        for waiter in arrived { waiter.resume() }
        await passGate()
        switch reply {
        case .answer(let status, let text): return HTTPResponse(status: status, body: Array(text.utf8))
        case .answerWith(let response): return response
        case .fail(let error): throw error
        }
    }

    /// Lets held answers go, and all later ones.
    func release() {
        let waiting = state.withLock { state in
            state.held = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { waiter.resume() }
    }

    /// Returns when so many requests have arrived.
    func arrived(_ count: Int) async {
        await withCheckedContinuation { (resume: CheckedContinuation<Void, Never>) in
            let now = state.withLock { state in
                if state.requests.count >= count { return true }
                state.arrivals.append((count, resume))
                return false
            }
            if now { resume.resume() }
        }
    }

    private func passGate() async {
        await withCheckedContinuation { (resume: CheckedContinuation<Void, Never>) in
            let open = state.withLock { state in
                if state.held { state.waiting.append(resume) }
                return !state.held
            }
            if open { resume.resume() }
        }
    }
}

/// A place to count from a closure.
final class Recorder<Value: Sendable>: Sendable {
    private let state = Mutex<[Value]>([])
    func record(_ value: Value) { state.withLock { $0.append(value) } }
    var values: [Value] { state.withLock { $0 } }
}

/// SplitMix64: the same numbers from the same seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
