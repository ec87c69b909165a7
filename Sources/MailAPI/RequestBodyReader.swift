import Hummingbird
import MailModel

/// Reads a request's body whole, before anything else is done with the request: an unread rest would be taken for the
/// next request, or keep the connection busy for as long as a client likes.
struct RequestBodyReader: Sendable {
    let timeout: Duration
    let time: any TimeSource

    /// - Throws: ``APIProblem`` 400, 408, 413; `CancellationError`.
    func read(_ request: Request, atMost bytesMax: Int) async throws -> [UInt8] {
        let declared = request.headers[.contentLength].flatMap { Int($0) }
        if let declared, declared > bytesMax { throw APIProblem.contentTooLarge(limit: bytesMax) }
        let bytes = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            group.addTask { try await collect(request.body, atMost: bytesMax) }
            group.addTask {
                try await time.sleep(for: timeout)
                throw APIProblem.tooSlow
            }
            defer { group.cancelAll() }
            return try await group.next() ?? []
        }
        // A connection that ends early looks like a body that ends.
        if let declared, declared != bytes.count { throw broken }
        return bytes
    }

    private func collect(_ body: RequestBody, atMost bytesMax: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await var part in body {
                guard bytes.count + part.readableBytes <= bytesMax else {
                    throw APIProblem.contentTooLarge(limit: bytesMax)
                }
                bytes += part.readBytes(length: part.readableBytes) ?? []
            }
        } catch let problem as APIProblem {
            throw problem
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw broken
        }
        return bytes
    }

    private var broken: APIProblem {
        var problem = APIProblem.malformed("the body breaks off or is not framed as HTTP/1.1 asks")
        problem.closesConnection = true
        return problem
    }
}
