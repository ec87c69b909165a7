import HTTPServing
import Hummingbird
import Logging
import Synchronization

/// A server on loopback that takes posts, answers them as told, and tells when they came.
final class PushInbox: Sendable {
    struct Post: Sendable {
        /// Path and query.
        var target: String
        /// Names in lower case.
        var headers: [String: String]
        var body: [UInt8]
    }
    /// Gives the answer's status; the first post has number 1.
    typealias Answer = @Sendable (_ number: Int, _ post: Post) async -> Int

    private struct State {
        var posts: [Post] = []
        var waiters: [(count: Int, resume: CheckedContinuation<Void, Never>)] = []
    }
    private let state = Mutex(State())
    let url: String

    private init(port: Int) { url = "http://127.0.0.1:\(port)/pushes" }

    var posts: [Post] { state.withLock { $0.posts } }

    /// Returns when so many posts have come, in all; the test's time limit is the limit.
    @discardableResult
    func received(_ count: Int) async -> [Post] {
        await withCheckedContinuation { (resume: CheckedContinuation<Void, Never>) in
            let isThere = state.withLock { state in
                if state.posts.count < count { state.waiters.append((count, resume)) }
                return state.posts.count >= count
            }
            if isThere { resume.resume() }
        }
        return posts
    }

    private func take(_ post: Post) -> Int {
        let (number, ready) = state.withLock { state in
            state.posts.append(post)
            let number = state.posts.count
            let ready = state.waiters.filter { $0.count <= number }.map(\.resume)
            state.waiters.removeAll { $0.count <= number }
            return (number, ready)
        }
        for waiter in ready { waiter.resume() }
        return number
    }

    /// Runs the body against an inbox that listens, and ends the inbox.
    static func run(
        answer: @escaping Answer = { _, _ in 204 }, _ body: @Sendable (PushInbox) async throws -> Void
    ) async throws {
        var logger = Logger(label: "inbox")
        logger.logLevel = .critical
        let made = Mutex<PushInbox?>(nil)
        let responder = CallbackResponder<BasicRequestContext> { request, _ in
            let buffer = try await request.body.collect(upTo: 1 << 20)
            let post = Post(
                target: request.head.path ?? "",
                headers: Dictionary(request.headers.map { ($0.name.canonicalName, $0.value) }) { first, _ in first },
                body: Array(buffer.readableBytesView))
            let number = made.withLock { $0 }?.take(post) ?? 0
            return Response(status: .init(code: await answer(number, post)))
        }
        let (ports, announce) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            responder: responder, server: .heldHTTP1(),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { announce.yield($0.localAddress?.port ?? 0) }, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { announce.finish() }
                do { try await application.run() } catch is CancellationError {}  // the end of the test
            }
            var iterator = ports.makeAsyncIterator()
            guard let port = await iterator.next() else { throw CancellationError() }
            let inbox = PushInbox(port: port)
            made.withLock { $0 = inbox }
            defer { group.cancelAll() }
            try await body(inbox)
        }
    }
}
