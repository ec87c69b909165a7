import MailModel

/// Where a live stream goes: server-sent events, or a WebSocket.
protocol LiveOutlet {
    /// Returns when it can take more.
    ///
    /// - Throws: when the client is gone, or was cut because it reads too slowly.
    mutating func send(_ messages: [LiveMessage]) async throws
    /// Shows that the stream is alive, and finds out whether the client is.
    mutating func heartbeat() async throws
}

/// Keeps one live stream going: reads the log when the store committed something, looks at the accounts now and then,
/// and shows signs of life. Never holds more than one page.
struct LivePump: Sendable {
    let user: UserID
    let query: LiveQuery
    /// When the user's token stops being valid.
    let expiresAt: UnixSeconds
    let feed: EventFeed
    let streams: LiveStreams
    let end: LiveEnd
    let time: any TimeSource

    private var limits: LiveLimits { streams.limits }

    /// Returns when the stream has to end, with the reason.
    ///
    /// - Throws: what the outlet throws; ``StoreFailure`` and what the accounts' commands throw.
    func run(_ outlet: inout some LiveOutlet) async throws -> LiveEnd.Reason {
        // Before reading: a commit in between is not missed.
        feed.follow(user, end.signal)
        defer { feed.unfollow(user, end.signal) }
        var after: Int64
        if let wanted = query.after { after = wanted } else { after = try await feed.end(of: user) }
        // What a client resumes from that has got no event yet.
        try await outlet.send([.position(after)])
        var clock = Clock(startedAtMs: time.nowMilliseconds(), limits: limits)
        var view: LiveView?
        while true {
            if let reason = reason() { return reason }
            let now = time.nowMilliseconds()
            var messages: [LiveMessage] = []
            if clock.isTimeToLook(now) {
                let new = try await streams.view(of: user).filtered(query)
                messages += new.news(since: view, user: user)
                view = new
                clock.looked(now, isBusy: new.isBusy)
            }
            let page = try await feed.read(user, query.events(after: after, limit: limits.pageEventsMax))
            messages += Self.messages(of: page, after: after)
            if !messages.isEmpty { try await outlet.send(messages) }
            if clock.isTimeForHeartbeat(now) { try await outlet.heartbeat() }
            if page.next == after {
                await wait(until: clock.nextMs)
                clock.woken()
            }
            after = page.next
        }
    }

    private static func messages(of page: EventPage, after: Int64) -> [LiveMessage] {
        var messages = page.entries.map(LiveMessage.init)
        // Events that are not wanted need not be looked at again after a reconnect.
        if page.next > page.entries.last?.seq ?? after { messages.append(.position(page.next)) }
        return messages
    }

    private func reason() -> LiveEnd.Reason? {
        if Task.isCancelled { return .shutdown }
        if time.now() >= expiresAt { end.tell(.expired) }
        return end.reason
    }

    private func wait(until atMs: Int64) async {
        let now = time.nowMilliseconds()
        // A token may be valid for so long that its end has no milliseconds.
        let expiryMs = min(expiresAt, now / 1000 + Self.farSeconds) * 1000
        await end.signal.wait(atMost: .milliseconds(max(1, min(atMs, expiryMs) - now)), time: time)
    }

    private static let farSeconds: Int64 = 86_400
}

/// When a stream looks at the accounts and shows a sign of life. A value: time is an input.
private struct Clock {
    private let limits: LiveLimits
    private var lookedAtMs: Int64
    private var lookAtMs: Int64
    private var heartbeatAtMs: Int64

    init(startedAtMs now: Int64, limits: LiveLimits) {
        self.limits = limits
        (lookedAtMs, lookAtMs) = (now, now)
        heartbeatAtMs = now + limits.heartbeat.milliseconds
    }

    var nextMs: Int64 { min(lookAtMs, heartbeatAtMs) }

    func isTimeToLook(_ now: Int64) -> Bool { now >= lookAtMs }

    mutating func looked(_ now: Int64, isBusy: Bool) {
        lookedAtMs = now
        lookAtMs = now + (isBusy ? limits.busyLook : limits.quietLook).milliseconds
    }

    /// Perhaps by a commit, which may have changed how an account is.
    mutating func woken() { lookAtMs = min(lookAtMs, lookedAtMs + limits.busyLook.milliseconds) }

    mutating func isTimeForHeartbeat(_ now: Int64) -> Bool {
        guard now >= heartbeatAtMs else { return false }
        heartbeatAtMs = now + limits.heartbeat.milliseconds
        return true
    }
}
