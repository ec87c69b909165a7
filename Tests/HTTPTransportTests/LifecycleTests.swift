import HTTPTransport
import Logging
import Testing

@Suite("Cancellation and shutdown", .timeLimit(.minutes(1)))
struct LifecycleTests {
    /// Never answers; says when a request has arrived and when its connection was closed.
    private func silentServer(arrived: Signal, closed: Signal) throws -> LoopbackServer {
        try LoopbackServer { connection, _ in
            arrived.fire()
            connection.waitForClose()
            closed.fire()
            return false
        }
    }

    @Test("cancelling the task aborts the transfer")
    func cancellation() async throws {
        let arrived = Signal()
        let closed = Signal()
        let server = try silentServer(arrived: arrived, closed: closed)
        try await withTransport { transport in
            let task = Task { try await transport.send(HTTPRequest(.get, server.url)) }
            await arrived.wait()
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            await closed.wait()
        }
    }

    @Test("a task that is cancelled already sends nothing")
    func cancelledBefore() async throws {
        let server = try LoopbackServer { connection, _ in
            try connection.answer()
            return true
        }
        try await withTransport { transport in
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await transport.send(HTTPRequest(.get, server.url))
            }
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        #expect(server.connectionsAccepted == 0)
    }

    @Test("cancellations at any moment end every request, one way or the other")
    func cancellationRaces() async throws {
        let server = try LoopbackServer { connection, _ in
            try connection.answer()
            return true
        }
        try await withTransport { transport in
            let tasks = (0..<200).map { _ in Task { try await transport.send(HTTPRequest(.get, server.url)).status } }
            for task in tasks {
                task.cancel()
                do {
                    let status = try await task.value
                    #expect(status == 200)
                } catch {
                    #expect(error is CancellationError)
                }
            }
            let answer = try await transport.send(HTTPRequest(.get, server.url))
            #expect(answer.status == 200)
        }
    }

    @Test("shutdown ends requests in flight and refuses later ones")
    func shutdown() async throws {
        let arrived = Signal()
        let closed = Signal()
        let server = try silentServer(arrived: arrived, closed: closed)
        let transport = HTTPTransport(logger: Logger(label: "test"))
        let tasks = (0..<20).map { _ in Task { await failure(transport, HTTPRequest(.get, server.url)) } }
        await arrived.wait()
        await transport.shutdown()
        for task in tasks { #expect(await task.value == .shutDown) }
        #expect(await failure(transport, HTTPRequest(.get, server.url)) == .shutDown)
        await transport.shutdown()
    }

    @Test("the release of the last reference closes the connections")
    func release() async throws {
        let closed = Signal()
        let server = try LoopbackServer(onConnection: { connection in
            _ = try connection.readRequest()
            try connection.answer()
            connection.waitForClose()
            closed.fire()
        })
        do {
            let transport = HTTPTransport(logger: Logger(label: "test"))
            _ = try await transport.send(HTTPRequest(.get, server.url))
        }
        await closed.wait()
    }
}
