import Hummingbird
import Logging
import Synchronization

/// What a request came in on; gives the faults a hold on the connection.
struct ConnectionContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// Closes the connection at once.
    let close: @Sendable () -> Void
    let isLoopback: Bool

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        let channel = source.channel
        close = { channel.close(promise: nil) }
        let address = channel.remoteAddress?.ipAddress ?? ""
        isLoopback = address == "::1" || address.hasPrefix("127.") || address.hasPrefix("::ffff:127.")
    }
}

/// Reads a request, has it answered, and puts the answer on the wire the way a fault may want it.
final class EmulatorResponder: HTTPResponder {
    typealias Context = ConnectionContext

    /// Longest request body read, in bytes.
    private static let requestBytesMax = 64 << 20
    private let google: GoogleEmulator
    private let gmail: GmailService
    private let graph: GraphService
    private let courier: PushCourier
    private let configuration: EmulatorConfiguration
    /// Known once the port is.
    private let issuer = Mutex<TokenIssuer?>(nil)

    init(
        google: GoogleEmulator, microsoft: MicrosoftEmulator, courier: PushCourier,
        configuration: EmulatorConfiguration
    ) {
        self.courier = courier
        self.google = google
        gmail = GmailService(google)
        graph = GraphService(microsoft)
        self.configuration = configuration
    }

    func serve(_ issuer: TokenIssuer) { self.issuer.withLock { $0 = issuer } }

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        let buffer = try await request.body.collect(upTo: Self.requestBytesMax)
        let read = EmulatorRequest(
            method: request.method.rawValue, target: request.head.path ?? "/",
            headers: [("host", request.head.authority ?? "")]
                + request.headers.map { ($0.name.canonicalName, $0.value) }, body: Array(buffer.readableBytesView))
        return try await deliver(await reply(to: read, context), context)
    }

    private func reply(to request: EmulatorRequest, _ context: ConnectionContext) async -> EmulatorReply {
        switch request.path.first {
        case "gmail": return await gmail.respond(to: request)
        case "v1.0": return await graph.respond(to: request)
        case _ where MicrosoftOAuthService.serves(request.path):
            return await MicrosoftOAuthService(microsoft: graph.microsoft).token(request)
        case "batch" where request.method == "POST": return await BatchService(gmail: gmail).respond(to: request)
        case "oauth":
            switch request.path {
            case ["oauth", "google", "token"]: return await OAuthService(google: google).token(request)
            case ["oauth", "google", "revoke"]: return await OAuthService(google: google).revoke(request)
            default: return .unknownPath
            }
        case "admin": return await admin(request, context)
        default: return await keys(request) ?? .unknownPath
        }
    }

    private func admin(_ request: EmulatorRequest, _ context: ConnectionContext) async -> EmulatorReply {
        guard context.isLoopback else { return .text("the admin API is for loopback clients\n", status: 403) }
        guard let issuer = issuer.withLock({ $0 }) else { return .text("still starting\n", status: 503) }
        return await AdminAPI(google: google, microsoft: graph.microsoft, issuer: issuer, courier: courier)
            .respond(to: request)
    }

    private func keys(_ request: EmulatorRequest) async -> EmulatorReply? {
        let isGoogle = request.path == ["oauth2", "v3", "certs"]
        guard isGoogle || request.path == ["auth", "jwks"] || request.path == ["api", "auth", "jwks"] else {
            return nil
        }
        guard let issuer = issuer.withLock({ $0 }) else { return nil }
        let fault = google.faults.strike(.jwks, target: request.target, mailbox: nil)
        if case .delay(let delay) = fault { await google.pause(delay) }
        let reply = EmulatorReply.json(isGoogle ? google.watches.signer.jwks : issuer.jwks)
        let given = fault?.replacement ?? fault?.altered(reply) ?? reply
        google.log.count(isGoogle ? "certs" : "jwks", status: given.status)
        return given
    }

    private func deliver(_ reply: EmulatorReply, _ context: ConnectionContext) async throws -> Response {
        if reply.delivery == .stall { await Self.untilCancelled() }
        if reply.delivery == .stall || reply.delivery == .drop { context.close() }
        var headers = HTTPFields()
        headers[.contentType] = reply.contentType
        for (name, value) in reply.headers {
            if let name = HTTPFields.Element.Name(name) { headers.append(.init(name: name, value: value)) }
        }
        return Response(status: .init(code: reply.status), headers: headers, body: body(reply, context))
    }

    private func body(_ reply: EmulatorReply, _ context: ConnectionContext) -> ResponseBody {
        let bytes = reply.body
        switch reply.delivery {
        case .whole, .stall, .drop: return .init(byteBuffer: ByteBuffer(bytes: bytes))
        case .truncate(let limit):
            return .init(contentLength: bytes.count) { writer in
                try await writer.write(ByteBuffer(bytes: bytes.prefix(limit)))
                context.close()
            }
        case .drip(let size, let pause):
            let time = configuration.time
            return .init(contentLength: bytes.count) { writer in
                for start in stride(from: 0, to: bytes.count, by: max(1, size)) {
                    try await time.sleep(for: pause)
                    try await writer.write(ByteBuffer(bytes: bytes[start...].prefix(max(1, size))))
                }
                try await writer.finish(nil)
            }
        }
    }

    /// Returns when the connection's task is cancelled: at shutdown.
    private static func untilCancelled() async {
        let (waiting, end) = AsyncStream.makeStream(of: Never.self)
        await withTaskCancellationHandler {
            for await _ in waiting {}
        } onCancel: {
            end.finish()
        }
    }
}
