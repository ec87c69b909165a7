import MailModel

/// A request that passed every gate and may run.
struct GmailCall: Sendable {
    let route: GmailRoute
    let request: EmulatorRequest
    let box: MailboxBox
    let watches: GmailWatches
    let mask: FieldMask
    let configuration: EmulatorConfiguration
    let scopes: Set<String>
    let fault: FaultResponse?
}

/// The Gmail API: gates (faults, token, scope, parameters, concurrency, quota), then the method.
struct GmailService: Sendable {
    let google: GoogleEmulator
    let gate: ConcurrencyGate
    let meter: QuotaMeter

    init(_ google: GoogleEmulator) {
        self.google = google
        gate = ConcurrencyGate(perUserMax: google.configuration.concurrentPerUserMax, log: google.log)
        meter = QuotaMeter(google.configuration.quota, time: google.configuration.time)
    }

    private enum Admission {
        case refused(EmulatorReply)
        case granted(GmailCall)
    }

    /// Answers a call that stands alone.
    func respond(to request: EmulatorRequest) async -> EmulatorReply {
        await respond(to: [request], latency: google.configuration.latency)[0]
    }

    /// Answers the parts of a batch, which are in flight together.
    func respond(toParts parts: [EmulatorRequest]) async -> [EmulatorReply] {
        let configuration = google.configuration
        return await respond(
            to: parts, latency: configuration.latency + configuration.latencyPerBatchPart * parts.count)
    }

    private func respond(to requests: [EmulatorRequest], latency: Duration) async -> [EmulatorReply] {
        var slots: [String] = []
        let admissions = requests.map { admit($0, &slots) }
        await google.pause(latency)
        var replies: [EmulatorReply] = []
        for (request, admission) in zip(requests, admissions) {
            let reply = await run(admission)
            google.log.count(GmailRoute(request)?.method.rawValue ?? "unknown", status: reply.status)
            replies.append(reply)
        }
        gate.leave(slots)
        return replies
    }

    private func admit(_ request: EmulatorRequest, _ slots: inout [String]) -> Admission {
        guard let route = GmailRoute(request) else { return .refused(.unknownPath) }
        let token = request.bearerToken ?? ""
        let fault = google.faults.strike(
            .gmail(route.method), target: request.target, mailbox: google.tokens.bearer(token)?.address)
        if let fault, let reply = fault.replacement { return .refused(reply) }
        if fault == .expireAccessToken { google.tokens.expire(accessToken: token) }
        do throws(GmailError) {
            return .granted(try check(request, route, fault, &slots))
        } catch {
            return .refused(.error(error))
        }
    }

    private func check(
        _ request: EmulatorRequest, _ route: GmailRoute, _ fault: FaultResponse?, _ slots: inout [String]
    ) throws(GmailError) -> GmailCall {
        guard let token = request.bearerToken, let bearer = google.tokens.bearer(token) else { throw .authError }
        guard !bearer.scopes.isDisjoint(with: route.method.scopes) else {
            throw .insufficientScopes(method: route.method.serviceName)
        }
        let box = try mailbox(of: route, bearer)
        try checkParameters(request, route.method)
        let mask = try request.parameter("fields").map { fields throws(GmailError) in
            try FieldMask.parse(fields, schema: route.method.schema)
        }
        guard gate.enter(bearer.address) else { throw .tooManyConcurrent }
        slots.append(bearer.address)
        let cost = meter.cost(route.method)
        guard meter.spend(cost, mailbox: bearer.address) else { throw .perUserQuota }
        google.log.spend(cost, mailbox: bearer.address)
        return GmailCall(
            route: route, request: request, box: box, watches: google.watches, mask: mask ?? .all,
            configuration: google.configuration, scopes: bearer.scopes, fault: fault)
    }

    private func mailbox(of route: GmailRoute, _ bearer: TokenTable.Bearer) throws(GmailError) -> MailboxBox {
        guard route.user == "me" || route.user.lowercased() == bearer.address else {
            throw GmailError(
                403, "forbidden", "Delegation denied for \(bearer.address)", status: "PERMISSION_DENIED")
        }
        do {
            return try google.box(bearer.address)
        } catch {
            throw .precondition
        }
    }

    private func checkParameters(_ request: EmulatorRequest, _ method: GmailMethod) throws(GmailError) {
        let known = method.parameters.union(GmailMethod.commonParameters)
        for (name, _) in request.query where !known.contains(name) {
            throw .invalidArgument(
                "Invalid JSON payload received. Unknown name \"\(name)\": Cannot bind query parameter. Field "
                    + "'\(name)' could not be found in request message.")
        }
        if let alt = request.parameter("alt"), alt != "json" {
            throw .invalidArgument("Invalid value at 'alt': only json is emulated")
        }
    }

    private func run(_ admission: Admission) async -> EmulatorReply {
        switch admission {
        case .refused(let reply): return reply
        case .granted(let call):
            if case .delay(let delay) = call.fault { await google.pause(delay) }
            do throws(GmailError) {
                let reply = try call.perform()
                return call.fault?.altered(reply, call) ?? reply
            } catch {
                return .error(error)
            }
        }
    }
}

extension GmailCall {
    func perform() throws(GmailError) -> EmulatorReply {
        switch route.method {
        case .getProfile: profile()
        case .messagesList: try listMessages()
        case .messagesGet: try getMessage()
        case .messagesModify: try modifyMessage()
        case .messagesBatchModify: try batchModify()
        case .messagesTrash: try change(add: ["TRASH"], remove: ["INBOX"])
        case .messagesUntrash: try change(add: [], remove: ["TRASH"])
        case .messagesDelete: try deleteMessage()
        case .historyList: try listHistory()
        case .labelsList: listLabels()
        case .labelsGet: try getLabel()
        case .watch: try watch()
        case .stop: stopWatching()
        }
    }
}
