import CNATS
import Foundation
import MailModel
import Synchronization

/// One connection to NATS, from connect to close, with one subscription to a private inbox.
///
/// Everything happens on the thread that made it: the library runs in event-loop mode, so sending never blocks,
/// nothing of a message is ever sent twice, and answers are read by that same thread in ``exchange(until:)``.
/// It never reconnects: a lost connection is lost for good and the owner makes another one, so nothing that was
/// handed to an old connection can be sent late by a new one.
final class NatsLink {
    /// What arrived on the inbox.
    struct Arrival {
        /// The subject after the inbox's prefix.
        var token: Substring
        /// The reply subject; of a JetStream message it names stream and sequence.
        var reply: String
        var messageID: String?
        /// The status of a message that carries nothing but a status: 100, 404, 408, 409.
        var status: String?
        var subject: String
        var payload: [UInt8]
    }

    struct Arrivals {
        var messages: [Arrival] = []
        /// Something that was sent met nobody who listens. The library does not tell what.
        var noResponders = false
    }

    private let connection: OpaquePointer
    private var inbox: OpaquePointer?
    private let hooks: LinkHooks
    private let inboxPrefix: String

    /// Connects; blocks for as long as the configuration's connect time-out, per address.
    ///
    /// - Parameter refused: called on a thread of the library when the server denies a subject.
    init(
        _ configuration: NatsConfiguration, waker: Waker, refused: @escaping @Sendable (String) -> Void
    ) throws(NatsFailure) {
        hooks = LinkHooks(waker: waker, refused: refused)
        let options = try LinkOptions(configuration)
        try options.attach(hooks)
        connection = try options.connect(hooks)
        inboxPrefix = "_INBOX.\(String(UInt64.random(in: .min ... .max), radix: 36))."
        let status = natsConnection_SubscribeSync(&inbox, connection, "\(inboxPrefix)*")
        guard status == NATS_OK else {
            throw .unreachable("cannot subscribe to an inbox: \(lastError(status))")
        }
        natsSubscription_SetPendingLimits(inbox, -1, -1)
    }

    /// Closes the connection and frees it. The connection first: giving up the subscription on an open one would
    /// leave something to be sent, for which closing waits half a second.
    deinit {
        natsConnection_Destroy(connection)
        natsSubscription_Destroy(inbox)
    }

    var isClosed: Bool { natsConnection_IsClosed(connection) }

    /// Where it is connected: `nats://host:port` without credentials.
    var address: String {
        var buffer = [CChar](repeating: 0, count: 512)
        guard natsConnection_GetConnectedUrl(connection, &buffer, buffer.count) == NATS_OK else { return "" }
        let url = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return NatsConfiguration(url: url).addresses
    }

    /// Hands a message to the connection; the answer, if one is asked for, arrives under `token`. Nil when it was
    /// accepted.
    func send(_ subject: String, token: String?, messageID: String?, payload: [UInt8]) -> Answer? {
        var message: OpaquePointer?
        var status = payload.withUnsafeBytes {
            natsMsg_Create(
                &message, subject, token.map { inboxPrefix + $0 }, $0.bindMemory(to: CChar.self).baseAddress,
                Int32($0.count))
        }
        defer { natsMsg_Destroy(message) }
        if status == NATS_OK, let messageID { status = natsMsgHeader_Set(message, "Nats-Msg-Id", messageID) }
        if status == NATS_OK { status = natsConnection_PublishMsg(connection, message) }
        switch status {
        case NATS_OK: return nil
        case NATS_MAX_PAYLOAD: return .tooLarge(lastError(status))
        default: return .disconnected
        }
    }

    /// Sends what waits to be sent, waits for something to happen (an answer, a wake-up, the deadline) and returns
    /// what arrived.
    func exchange(waitingMilliseconds: Int32) -> Arrivals {
        var entries = [
            pollfd(fd: hooks.waker.readEnd, events: Int16(POLLIN), revents: 0),
            pollfd(fd: hooks.socket.load(ordering: .acquiring), events: Int16(POLLIN), revents: 0),
        ]
        if hooks.wantsWrite.load(ordering: .acquiring) { natsConnection_ProcessWriteEvent(connection) }
        if hooks.wantsWrite.load(ordering: .acquiring) { entries[1].events |= Int16(POLLOUT) }
        let ready = poll(&entries, 2, waitingMilliseconds)
        hooks.waker.clear(readable: ready > 0 && entries[0].revents != 0)
        guard ready > 0 else { return Arrivals() }
        if entries[1].revents & Int16(POLLOUT) != 0 { natsConnection_ProcessWriteEvent(connection) }
        guard entries[1].revents & ~Int16(POLLOUT) != 0 else { return Arrivals() }
        natsConnection_ProcessReadEvent(connection)
        return arrivals()
    }

    /// Sends a request and waits for its answer; what else arrives meanwhile is dropped, so this is for setting up,
    /// while nothing else is in flight. `interruption` is asked after every wake-up.
    func request(
        _ subject: String, _ body: [UInt8], timeoutMilliseconds: Int, interruption: () -> Answer?
    ) -> Answer {
        let token = "r\(UInt64.random(in: .min ... .max))"
        let deadline = MonotonicTime.now(plusMilliseconds: timeoutMilliseconds)
        if let failure = send(subject, token: token, messageID: nil, payload: body) { return failure }
        while !isClosed {
            if let answer = interruption() { return answer }
            if MonotonicTime.now() >= deadline { return .timedOut }
            let arrived = exchange(waitingMilliseconds: MonotonicTime.milliseconds(until: deadline))
            if arrived.noResponders { return .noResponders }
            if let answer = arrived.messages.first(where: { $0.token == token }) { return .reply(answer.payload) }
        }
        return .disconnected
    }

    private func arrivals() -> Arrivals {
        var arrivals = Arrivals()
        while true {
            var message: OpaquePointer?
            switch natsSubscription_NextMsg(&message, inbox, 0) {
            case NATS_OK:
                guard let message else { return arrivals }
                arrivals.messages.append(Arrival(message, inboxPrefix: inboxPrefix))
                natsMsg_Destroy(message)
            case NATS_NO_RESPONDERS: arrivals.noResponders = true
            default: return arrivals
            }
        }
    }
}

extension NatsLink.Arrival {
    fileprivate init(_ message: OpaquePointer, inboxPrefix: String) {
        subject = String(cString: natsMsg_GetSubject(message))
        token = subject.hasPrefix(inboxPrefix) ? subject.dropFirst(inboxPrefix.count) : Substring()
        reply = natsMsg_GetReply(message).map(String.init(cString:)) ?? ""
        let bytes = UnsafeRawBufferPointer(start: natsMsg_GetData(message), count: Int(natsMsg_GetDataLength(message)))
        payload = Array(bytes)
        messageID = Self.header("Nats-Msg-Id", of: message)
        status = bytes.isEmpty ? Self.header("Status", of: message) : nil
    }

    private static func header(_ name: String, of message: OpaquePointer) -> String? {
        var value: UnsafePointer<CChar>?
        guard natsMsgHeader_Get(message, name, &value) == NATS_OK else { return nil }
        return value.map(String.init(cString:))
    }
}

/// What the library calls back into. Kept alive by the library's own references: one for the event loop, released
/// when it detaches, one for the connection, released when it reports that it is closed.
final class LinkHooks: Sendable {
    let waker: Waker
    let refused: @Sendable (String) -> Void
    let wantsWrite = Atomic<Bool>(false)
    let socket = Atomic<Int32>(-1)
    /// The thread that made the link: it looks at `wantsWrite` before it waits and need not be woken.
    private let owner = pthread_self()

    init(waker: Waker, refused: @escaping @Sendable (String) -> Void) {
        self.waker = waker
        self.refused = refused
    }

    func write(wanted: Bool) {
        wantsWrite.store(wanted, ordering: .releasing)
        if wanted, pthread_equal(owner, pthread_self()) == 0 { waker.wake() }
    }

    static func from(_ closure: UnsafeMutableRawPointer?) -> LinkHooks? {
        closure.map { Unmanaged<LinkHooks>.fromOpaque($0).takeUnretainedValue() }
    }
}

/// The library's text for the last error of this thread.
func lastError(_ status: natsStatus) -> String {
    var last = NATS_OK
    if let text = nats_GetLastError(&last), last == status, text.pointee != 0 { return String(cString: text) }
    return String(cString: natsStatus_GetText(status))
}
