import Accounts
import Foundation
import GmailProvider
import HTTPTransport
import Logging
import MailModel
import MailTestSupport
import OutlookProvider
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
    /// Mail of this date comes into the inbox.
    func arrive(dated date: UnixSeconds) throws -> String
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
    /// The ids of messages that are received.
    func inScope() throws -> Set<String>
    /// Requests for mail so far.
    var requests: Int { get }
    func close() async
}

/// What goes wrong between a provider and us.
enum Trouble: CaseIterable, Sendable {
    case throttled, throttledWithoutSayingHowLong, unavailable, html, garbage, truncated, dropped, answerLost
}

/// The adapters there are.
enum Adapter: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case gmail, outlook, fake

    var testDescription: String { rawValue }

    func open() async throws -> any MailboxUnderTest {
        switch self {
        case .gmail: try await EmulatedUnderTest.open(.google)
        case .outlook: try await EmulatedUnderTest.open(.microsoft)
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
    /// As the emulators' clock has it.
    private static let today: UnixSeconds = 1_767_225_600

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
        mailbox.change { state in for id in state.messages.keys { state.messages[id]?.date = Self.today } }
    }

    func arrive() -> String {
        counter.increment()
        let id = "new\(1000 + counter.current)"
        mailbox.deliver(id, labels: ["INBOX", "UNREAD"])
        mailbox.change { $0.messages[id]?.date = Self.today }
        return id
    }

    func arrive(dated date: UnixSeconds) -> String {
        let id = arrive()
        mailbox.change { $0.messages[id]?.date = date }
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

    func inScope() -> Set<String> {
        mailbox.change { Set($0.messages.values.filter(FakeMailbox.isInScope).map(\.id)) }
    }

    func close() async {}
}

extension OAuthTokens {
    init(_ grant: TokenGrant) {
        self.init(access: Secret(grant.accessToken), refresh: Secret(grant.refreshToken), expiry: nil)
    }
}

// MARK: - Behind the emulator

/// A mailbox at an emulated provider, over real HTTP.
struct EmulatedUnderTest: MailboxUnderTest {
    private static let address = "ann@example.net"
    private static let otherAddress = "bob@example.net"

    let provider: any MailProvider
    let client: OAuthClient
    private let emulator: ProviderEmulator
    private let transport: HTTPTransport
    private let box: any EmulatedMailbox
    private let other: any EmulatedMailbox

    static func open(_ kind: ProviderKind) async throws -> EmulatedUnderTest {
        let logger = Logger(label: "conformance") { _ in SwiftLogNoOpLogHandler() }
        var configuration = EmulatorConfiguration()
        configuration.microsoft.requestsPerTenMinutesMax = 0
        let emulator = try await ProviderEmulator.start(configuration, logger: logger)
        return try EmulatedUnderTest(kind, emulator, logger)
    }

    private init(_ kind: ProviderKind, _ emulator: ProviderEmulator, _ logger: Logger) throws {
        self.emulator = emulator
        box = try emulator.createMailbox(Self.address, at: kind)
        other = try emulator.createMailbox(Self.otherAddress, at: kind)
        transport = HTTPTransport(logger: logger)
        switch kind {
        case .google:
            provider = Self.gmail(emulator, transport, logger)
            client = OAuthClient(
                provider: kind, clientID: OAuthConfiguration().clientID,
                clientSecret: Secret(OAuthConfiguration().clientSecret), tokenURL: emulator.tokenURL
            ) { [transport] in try await transport.send($0) }
        case .microsoft:
            provider = Self.outlook(emulator, transport, logger)
            client = OAuthClient(
                provider: kind, clientID: MicrosoftConfiguration().clientID,
                clientSecret: Secret(MicrosoftConfiguration().clientSecret), tokenURL: emulator.microsoftTokenURL
            ) { [transport] in try await transport.send($0) }
        }
    }

    private static func gmail(
        _ emulator: ProviderEmulator, _ transport: HTTPTransport, _ logger: Logger
    ) -> GmailProvider {
        var configuration = GmailConfiguration()
        configuration.apiURL = emulator.baseURL
        configuration.labelsInterval = .seconds(0)
        return GmailProvider(configuration: configuration, transport: transport, time: conformanceTime, logger: logger)
    }

    private static func outlook(
        _ emulator: ProviderEmulator, _ transport: HTTPTransport, _ logger: Logger
    ) -> OutlookProvider {
        var configuration = OutlookConfiguration()
        configuration.apiURL = emulator.graphURL
        return OutlookProvider(
            configuration: configuration, transport: transport, time: conformanceTime, logger: logger)
    }

    private var faults: FaultRegistry {
        switch box.provider {
        case .google: emulator.google.faults
        case .microsoft: emulator.microsoft.faults
        }
    }

    var requests: Int {
        switch box.provider {
        case .google: emulator.google.stats.requests.values.reduce(0, +)
        case .microsoft: emulator.microsoft.stats.requests.values.reduce(0, +)
        }
    }

    func grant() throws -> OAuthTokens { try OAuthTokens(box.grant()) }
    func foreignGrant() throws -> OAuthTokens { try OAuthTokens(other.grant()) }

    func fill(_ count: Int) throws {
        for index in 0..<count { try box.setRead(try deliver("old \(index)"), true) }
        for _ in 0..<2 { try box.trash(try deliver("unwanted")) }
        switch box.provider {
        case .google: try emulator.google.deliver(Self.mail("spam"), to: Self.address, labels: ["SPAM"])
        case .microsoft: try emulator.microsoft.deliver(Self.mail("spam"), to: Self.address, folder: "junkemail")
        }
    }

    func arrive() throws -> String { try deliver("new") }

    func arrive(dated date: UnixSeconds) throws -> String {
        let header = Date(timeIntervalSince1970: Double(date)).formatted(Self.headerDate)
        return try box.deliver(
            Array("From: b@example.org\r\nDate: \(header) +0000\r\nSubject: dated\r\n\r\nHello\r\n".utf8))
    }

    private static var headerDate: Date.VerbatimFormatStyle {
        .init(
            format: """
                \(day: .twoDigits) \(month: .abbreviated) \(year: .defaultDigits) \
                \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\
                \(second: .twoDigits)
                """, locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt,
            calendar: Calendar(identifier: .gregorian))
    }

    private func deliver(_ subject: String) throws -> String { try box.deliver(Self.mail(subject)) }

    private static func mail(_ subject: String) -> [UInt8] {
        Array("From: Bob <bob@example.org>\r\nTo: \(address)\r\nSubject: \(subject)\r\n\r\nHello\r\n".utf8)
    }

    func setRead(_ id: String, _ isRead: Bool) throws { try box.setRead(id, isRead) }
    func setStarred(_ id: String, _ isStarred: Bool) throws { try box.setStarred(id, isStarred) }
    func trash(_ id: String) throws { try box.trash(id) }
    func restore(_ id: String) throws { try box.restore(id) }
    func delete(_ id: String) throws { try box.delete(id) }
    func expireCursors() throws { try box.expireCursors() }
    func expirePages() throws { try box.expirePages() }
    func expireAccessToken() { box.expireAccessTokens() }

    func revoke() {
        switch box.provider {
        case .google: emulator.google.revokeGrant(of: Self.address)
        case .microsoft: emulator.microsoft.revokeGrant(of: Self.address)
        }
    }

    func setUnreadable(_ id: String, _ isUnreadable: Bool) {
        guard isUnreadable else { return faults.removeAll() }
        switch box.provider {
        case .google: faults.add(Fault(.gmail(.messagesGet), match: id, times: nil, .garbage))
        case .microsoft:
            faults.add(Fault(.graph(.messagesGet), match: id, times: nil, .graphError(.generalException)))
            for listing in [GraphMethod.messagesDelta, .messagesList] {
                faults.add(Fault(.graph(listing), times: nil, .page(.damagedItem(id: id))))
            }
        }
    }

    func trouble(_ trouble: Trouble, times: Int) {
        let isGoogle = box.provider == .google
        let response: FaultResponse =
            switch trouble {
            case .throttled: isGoogle ? .error(.perUserQuota) : .graphError(Self.throttled)
            case .throttledWithoutSayingHowLong: .status(429)
            case .unavailable: .status(503)
            case .html: .html502
            case .garbage: .garbage
            case .truncated: .truncate(bytes: 30)
            case .dropped: .drop
            case .answerLost: .loseAnswer
            }
        faults.add(Fault(isGoogle ? .anyGmail : .anyGraph, times: times, response))
    }

    private static var throttled: GraphError {
        var error = GraphError.tooManyRequests
        error.retryAfterSeconds = 2
        return error
    }

    func truth() throws -> [String: [String]] {
        Dictionary(uniqueKeysWithValues: try box.messages().map { ($0.id, $0.labels) })
    }

    func inScope() throws -> Set<String> { Set(try box.messages().filter(\.isInScope).map(\.id)) }

    func close() async {
        await transport.shutdown()
        await emulator.shutdown()
    }
}
