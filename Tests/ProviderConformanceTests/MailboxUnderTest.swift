import Accounts
import GmailProvider
import HTTPTransport
import Logging
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

/// A mailbox that a case changes, behind one of the adapters. Labels are those of events.
protocol MailboxUnderTest: Sendable {
    var provider: any MailProvider { get }
    /// Our registration with the provider.
    var client: OAuthClient { get }
    /// Tokens that open this mailbox.
    func grant() throws -> OAuthTokens
    /// Tokens that open another mailbox at the same provider.
    func foreignGrant() throws -> OAuthTokens

    /// Mail that is there before anybody looks: so many messages in the inbox, two in the trash and one in the spam.
    func fill(_ count: Int) throws
    /// Mail arrives in the inbox, unread.
    func arrive() throws -> String
    func setRead(_ id: String, _ isRead: Bool) throws
    func setStarred(_ id: String, _ isStarred: Bool) throws
    /// The message moves to the trash; it is neither read nor unread by that.
    func trash(_ id: String) throws
    /// The message moves from the trash to the inbox.
    func restore(_ id: String) throws
    /// The message is deleted for good.
    func delete(_ id: String) throws

    /// Every resume point handed out so far is too old.
    func expireCursors() throws
    /// The resume points within a listing are too old.
    func expirePages() throws
    /// The provider cannot give this message, but all others.
    func setUnreadable(_ id: String, _ isUnreadable: Bool) throws
    /// The next requests for mail meet this trouble.
    func trouble(_ trouble: Trouble, times: Int) throws
    /// The access token ends before its time.
    func expireAccessToken() throws
    /// The user takes the permission back.
    func revoke() throws

    /// Labels of all messages there are.
    func truth() throws -> [String: [String]]
    /// Requests for mail so far.
    var requests: Int { get }
    func close() async
}

/// What goes wrong between a provider and us.
enum Trouble: CaseIterable, Sendable {
    case throttled, throttledWithoutSayingHowLong, unavailable, html, garbage, truncated, dropped, answerLost
}

extension MailboxUnderTest {
    static var outOfScope: Set<String> { ["TRASH", "SPAM"] }

    /// The ids of messages that are in scope.
    func inScope() throws -> Set<String> {
        Set(try truth().filter { Self.outOfScope.isDisjoint(with: $0.value) }.keys)
    }
}

/// The adapters there are.
enum Adapter: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case gmail, outlook, fake

    var testDescription: String { rawValue }

    func open() async throws -> any MailboxUnderTest {
        switch self {
        case .gmail: try await GmailUnderTest.open()
        case .outlook: try await OutlookUnderTest.open()
        case .fake: FakeUnderTest()
        }
    }
}

/// A clock for adapters that wait between tries: nobody waits.
let conformanceTime = InstantTime()

// MARK: - In memory

struct FakeUnderTest: MailboxUnderTest {
    private let mailbox = FakeMailbox()
    private let counter = Counter()

    var provider: any MailProvider { mailbox }

    var client: OAuthClient {
        OAuthClient(provider: .google, clientID: "id", clientSecret: Secret("secret"), tokenURL: "https://localhost/") {
            _ in throw TransportError.shutDown
        }
    }

    func grant() -> OAuthTokens {
        mailbox.change { state in
            state.identity = "someone@example.com"
            state.failures = [:]
        }
        return OAuthTokens(access: Secret("access"), refresh: Secret("refresh"), expiry: nil)
    }

    func foreignGrant() -> OAuthTokens {
        let tokens = grant()
        mailbox.change { $0.identity = "another@example.com" }
        return tokens
    }

    var requests: Int { mailbox.calls.count }

    func fill(_ count: Int) {
        mailbox.fill(count)
        for (index, label) in ["TRASH", "TRASH", "SPAM"].enumerated() {
            mailbox.deliver("old\(index)", labels: [label])
        }
    }

    func arrive() -> String {
        counter.increment()
        let id = "new\(1000 + counter.current)"
        mailbox.deliver(id, labels: ["INBOX", "UNREAD"])
        return id
    }

    func setRead(_ id: String, _ isRead: Bool) { change(id, "UNREAD", isThere: !isRead) }
    func setStarred(_ id: String, _ isStarred: Bool) { change(id, "STARRED", isThere: isStarred) }

    private func change(_ id: String, _ label: String, isThere: Bool) {
        let old = mailbox.change { $0.messages[id]?.labels ?? [] }
        mailbox.relabel(id, (old.filter { $0 != label } + (isThere ? [label] : [])).sorted())
    }

    func trash(_ id: String) {
        change(id, "INBOX", isThere: false)
        change(id, "TRASH", isThere: true)
    }

    func restore(_ id: String) {
        change(id, "TRASH", isThere: false)
        change(id, "INBOX", isThere: true)
    }

    func delete(_ id: String) { mailbox.delete(id) }
    func expireCursors() { mailbox.expireHistory() }
    func expirePages() {}

    func setUnreadable(_ id: String, _ isUnreadable: Bool) {
        mailbox.change { state in
            if isUnreadable { state.unreadable.insert(id) } else { state.unreadable.remove(id) }
        }
    }

    func trouble(_ trouble: Trouble, times: Int) {
        let after: Duration? = trouble == .throttled ? .seconds(2) : nil
        let failure = SyncFailure(.retry(after: after, scope: .account), code: "trouble", "\(trouble)")
        for _ in 0..<times {
            for call in [FakeMailbox.Call.changes, .backfill] { mailbox.fail(call, failure) }
        }
    }

    func expireAccessToken() {}

    func revoke() {
        let failure = SyncFailure(.reauthenticate, code: "invalid_grant", "revoked")
        for call in [FakeMailbox.Call.changes, .backfill, .profile] { mailbox.fail(call, failure) }
    }

    func truth() -> [String: [String]] { mailbox.change { $0.messages.mapValues(\.labels) } }
    func close() async {}
}

extension OAuthTokens {
    init(_ grant: TokenGrant) {
        self.init(access: Secret(grant.accessToken), refresh: Secret(grant.refreshToken), expiry: nil)
    }
}

// MARK: - Gmail

struct GmailUnderTest: MailboxUnderTest {
    private static let address = "ann@example.net"
    private static let otherAddress = "bob@example.net"

    let provider: any MailProvider
    let client: OAuthClient
    private let emulator: ProviderEmulator
    private let transport: HTTPTransport
    private var google: GoogleEmulator { emulator.google }

    static func open() async throws -> GmailUnderTest {
        let logger = Logger(label: "conformance") { _ in SwiftLogNoOpLogHandler() }
        let emulator = try await ProviderEmulator.start(logger: logger)
        try emulator.google.createMailbox(address)
        try emulator.google.createMailbox(otherAddress)
        return try GmailUnderTest(emulator, logger)
    }

    private init(_ emulator: ProviderEmulator, _ logger: Logger) throws {
        self.emulator = emulator
        transport = HTTPTransport(logger: logger)
        var configuration = GmailConfiguration()
        configuration.apiURL = emulator.baseURL
        configuration.labelsInterval = .seconds(0)
        provider = GmailProvider(
            configuration: configuration, transport: transport, time: conformanceTime, logger: logger)
        client = OAuthClient(
            provider: .google, clientID: OAuthConfiguration().clientID,
            clientSecret: Secret(OAuthConfiguration().clientSecret), tokenURL: emulator.tokenURL
        ) { [transport] in try await transport.send($0) }
    }

    func grant() throws -> OAuthTokens { try OAuthTokens(google.grant(Self.address)) }
    func foreignGrant() throws -> OAuthTokens { try OAuthTokens(google.grant(Self.otherAddress)) }

    var requests: Int { google.stats.requests.values.reduce(0, +) }

    func fill(_ count: Int) throws {
        for index in 0..<count { _ = try deliver("old \(index)", ["INBOX"]) }
        for label in ["TRASH", "TRASH", "SPAM"] { _ = try deliver("unwanted", [label]) }
    }

    func arrive() throws -> String { try deliver("new", ["INBOX", "UNREAD"]) }

    private func deliver(_ subject: String, _ labels: [String]) throws -> String {
        let text = "From: Bob <bob@example.org>\r\nTo: \(Self.address)\r\nSubject: \(subject)\r\n\r\nHello\r\n"
        return try google.deliver(Array(text.utf8), to: Self.address, labels: labels)
    }

    func setRead(_ id: String, _ isRead: Bool) throws { try change(id, "UNREAD", isThere: !isRead) }
    func setStarred(_ id: String, _ isStarred: Bool) throws { try change(id, "STARRED", isThere: isStarred) }

    private func change(_ id: String, _ label: String, isThere: Bool) throws {
        try google.modify(id, in: Self.address, add: isThere ? [label] : [], remove: isThere ? [] : [label])
    }

    func trash(_ id: String) throws { try google.trash(id, in: Self.address) }

    func restore(_ id: String) throws {
        try google.untrash(id, in: Self.address)
        try google.modify(id, in: Self.address, add: ["INBOX"])
    }

    func delete(_ id: String) throws { try google.delete(id, in: Self.address) }
    func expireCursors() throws { try google.expireHistory(of: Self.address) }
    func expirePages() throws { try google.expirePageTokens(of: Self.address) }

    func setUnreadable(_ id: String, _ isUnreadable: Bool) {
        guard isUnreadable else { return google.faults.removeAll() }
        google.faults.add(Fault(.gmail(.messagesGet), match: id, times: nil, .garbage))
    }

    func trouble(_ trouble: Trouble, times: Int) {
        let response: FaultResponse =
            switch trouble {
            case .throttled: .error(.perUserQuota)
            case .throttledWithoutSayingHowLong: .status(429)
            case .unavailable: .status(503)
            case .html: .html502
            case .garbage: .garbage
            case .truncated: .truncate(bytes: 30)
            case .dropped: .drop
            case .answerLost: .loseAnswer
            }
        google.faults.add(Fault(.anyGmail, times: times, response))
    }

    func expireAccessToken() { google.expireAccessTokens(of: Self.address) }

    func revoke() {
        google.revokeGrant(of: Self.address)
    }

    func truth() throws -> [String: [String]] { try google.snapshot(Self.address).mapValues(\.labels) }

    func close() async {
        await transport.shutdown()
        await emulator.shutdown()
    }
}
