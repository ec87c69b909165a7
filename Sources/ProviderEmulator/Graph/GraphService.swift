import MailModel

/// A request that passed every gate and may run.
struct GraphCall: Sendable {
    let route: GraphRoute
    let request: EmulatorRequest
    let box: OutlookMailboxBox
    let subscriptions: GraphSubscriptions
    let preference: GraphPreference
    let configuration: EmulatorConfiguration
    /// `http://HOST:PORT/v1.0`, for links.
    let root: String
    let fault: FaultResponse?
}

/// Microsoft Graph: gates (faults, token, scope, throttling, concurrency), then the method.
struct GraphService: Sendable {
    /// Any of these lets a client read mail.
    static let scopes: Set<String> = ["mail.read", "mail.readbasic", "mail.readwrite"]
    let microsoft: MicrosoftEmulator
    let gate: ConcurrencyGate
    let window: RequestWindow

    init(_ microsoft: MicrosoftEmulator) {
        self.microsoft = microsoft
        let configuration = microsoft.configuration
        gate = ConcurrencyGate(perUserMax: configuration.microsoft.concurrentPerMailboxMax, log: microsoft.log)
        window = RequestWindow(
            requestsMax: configuration.microsoft.requestsPerTenMinutesMax, time: configuration.time)
    }

    private enum Admission {
        case refused(EmulatorReply)
        case granted(GraphCall)
    }

    /// Answers a call that stands alone.
    func respond(to request: EmulatorRequest) async -> EmulatorReply {
        if request.path.last == "$batch", request.method == "POST" {
            return await GraphBatch(graph: self).respond(to: request)
        }
        return await respond(to: [request], latency: microsoft.configuration.latency)[0]
    }

    /// Answers requests that are in flight together.
    func respond(to requests: [EmulatorRequest], latency: Duration) async -> [EmulatorReply] {
        var slots: [String] = []
        let admissions = requests.map { admit($0, &slots) }
        await microsoft.pause(latency)
        var replies: [EmulatorReply] = []
        for (request, admission) in zip(requests, admissions) {
            let reply = await run(admission, request)
            microsoft.log.count(GraphRoute(request)?.method.rawValue ?? "unknown", status: reply.status)
            replies.append(reply)
        }
        gate.leave(slots)
        return replies
    }

    private func admit(_ request: EmulatorRequest, _ slots: inout [String]) -> Admission {
        guard let route = GraphRoute(request) else {
            return .refused(reply(to: request, .badPath(request.path.last ?? "")))
        }
        let token = request.bearerToken ?? ""
        let fault = microsoft.faults.strike(
            .graph(route.method), target: request.target, mailbox: microsoft.tokens.bearer(token)?.address)
        if case .graphError(let error) = fault { return .refused(reply(to: request, error)) }
        if let fault, let reply = fault.replacement { return .refused(reply) }
        if fault == .expireAccessToken { microsoft.tokens.expire(accessToken: token) }
        do throws(GraphError) {
            return .granted(try check(request, route, fault, &slots))
        } catch {
            return .refused(reply(to: request, error))
        }
    }

    private func check(
        _ request: EmulatorRequest, _ route: GraphRoute, _ fault: FaultResponse?, _ slots: inout [String]
    ) throws(GraphError) -> GraphCall {
        guard let token = request.bearerToken else { throw .tokenMissing }
        guard let bearer = microsoft.tokens.bearer(token) else { throw .tokenExpired }
        let granted = Set(bearer.scopes.map { $0.lowercased().replacing("https://graph.microsoft.com/", with: "") })
        guard route.method == .me || !granted.isDisjoint(with: Self.scopes),
            route.user == "me" || route.user.lowercased() == bearer.address
        else { throw .accessDenied }
        let box: OutlookMailboxBox
        do { box = try microsoft.box(bearer.address) } catch { throw .noMailbox }
        if let seconds = window.spend(mailbox: bearer.address) {
            throw GraphError(
                429, "ApplicationThrottled", "Application is over its RequestLimit.", retryAfterSeconds: seconds)
        }
        if !route.method.isOfSubscriptions {
            guard gate.enter(bearer.address) else { throw .mailboxConcurrency }
            slots.append(bearer.address)
        }
        return GraphCall(
            route: route, request: request, box: box, subscriptions: microsoft.subscriptions,
            preference: GraphPreference(request),
            configuration: microsoft.configuration, root: request.origin + "/v1.0", fault: fault)
    }

    private func run(_ admission: Admission, _ request: EmulatorRequest) async -> EmulatorReply {
        switch admission {
        case .refused(let reply): return reply
        case .granted(let call):
            if case .delay(let delay) = call.fault { await microsoft.pause(delay) }
            do throws(GraphError) {
                let reply = stamped(try await call.perform(), request, call.preference.applied)
                return call.fault?.altered(reply) ?? reply
            } catch {
                return reply(to: request, error)
            }
        }
    }

    /// An error answer with the ids and the date of this request.
    func reply(to request: EmulatorRequest, _ error: GraphError) -> EmulatorReply {
        var error = error
        if error.locatesFreshRound {
            let path = request.target.prefix { $0 != "?" }
            error.location = "\(request.origin)\(path)?$deltatoken="
        }
        let id = requestID(request)
        let date = String(MailDate.second(microsoft.configuration.time.now()).dropLast())
        let reply = error.reply(
            requestID: id, clientRequestID: request.header("client-request-id") ?? id, date: date)
        return stamped(reply, request, nil)
    }

    func stamped(_ reply: EmulatorReply, _ request: EmulatorRequest, _ applied: String?) -> EmulatorReply {
        var reply = reply
        let id = requestID(request)
        reply.headers.append(("request-id", id))
        reply.headers.append(("client-request-id", request.header("client-request-id") ?? id))
        reply.headers.append(("x-ms-ags-diagnostic", "{\"ServerInfo\":{\"DataCenter\":\"Emulator\",\"Slice\":\"E\"}}"))
        if let applied { reply.headers.append(("preference-applied", applied)) }
        return reply
    }

    private func requestID(_ request: EmulatorRequest) -> String {
        let hash = TextHash.of(request.target.utf8) ^ UInt64(bitPattern: microsoft.configuration.time.nowMilliseconds())
        let digits = HexID.text(hash) + HexID.text(SeededRandom.mix(hash))
        let parts = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { range in
            String(digits.dropFirst(range.lowerBound).prefix(range.count))
        }
        return parts.joined(separator: "-")
    }
}

extension GraphError {
    /// A path that Graph does not know.
    static func badPath(_ segment: String) -> GraphError {
        GraphError(404, "UnknownError", "Resource not found for the segment '\(segment)'.")
    }
}

extension EmulatorRequest {
    /// `http://HOST:PORT` as the client called it.
    var origin: String { "http://\(header("host") ?? "localhost")" }
}

extension GraphCall {
    func perform() async throws(GraphError) -> EmulatorReply {
        switch route.method {
        case .me: try me()
        case .foldersList, .childFoldersList: try listFolders()
        case .foldersGet: try getFolder()
        case .foldersDelta: try foldersDelta()
        case .messagesList: try listMessages()
        case .messagesDelta: try messagesDelta()
        case .messagesGet: try getMessage()
        case .mailboxDelta: throw .wholeMailboxDelta
        case .subscriptionsCreate: try await subscribe()
        case .subscriptionsList: try listSubscriptions()
        case .subscriptionsGet: try getSubscription()
        case .subscriptionsUpdate: try renewSubscription()
        case .subscriptionsDelete: try endSubscription()
        case .subscriptionsReauthorize: try reauthorizeSubscription()
        }
    }

    private func me() throws(GraphError) -> EmulatorReply {
        let properties: Set<String> = ["id", "mail", "userPrincipalName", "displayName"]
        let query = try GraphQuery(request, properties: properties, allowed: ["$select"])
        let address = box.address
        return .graph(
            context: "\(root)/$metadata#users/$entity",
            fields: { json in
                if query.wants("displayName") {
                    json.field("displayName", String(address.prefix { $0 != "@" }))
                }
                if query.wants("mail") { json.field("mail", address) }
                if query.wants("userPrincipalName") { json.field("userPrincipalName", address) }
                if query.wants("id") { json.field("id", GraphUser(address).id) }
            })
    }
}

extension EmulatorReply {
    static let graphType = "application/json;odata.metadata=minimal;odata.streaming=true;charset=utf-8"

    /// One entity.
    static func graph(context: String, fields: (inout JSONText) -> Void) -> EmulatorReply {
        var json = JSONText()
        json.object { json in
            json.field("@odata.context", context)
            fields(&json)
        }
        return EmulatorReply(status: 200, contentType: graphType, body: json.bytes)
    }
}
