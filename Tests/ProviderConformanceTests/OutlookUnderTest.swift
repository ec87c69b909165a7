import Accounts
import HTTPTransport
import Logging
import MailModel
import MailTestSupport
import OutlookProvider
import ProviderEmulator

struct OutlookUnderTest: MailboxUnderTest {
    private static let address = "ann@example.net"
    private static let otherAddress = "bob@example.net"

    let provider: any MailProvider
    let client: OAuthClient
    private let emulator: ProviderEmulator
    private let transport: HTTPTransport
    private var graph: MicrosoftEmulator { emulator.microsoft }

    static func open() async throws -> OutlookUnderTest {
        let logger = Logger(label: "conformance") { _ in SwiftLogNoOpLogHandler() }
        var options = EmulatorConfiguration()
        options.microsoft.requestsPerTenMinutesMax = 0
        let emulator = try await ProviderEmulator.start(options, logger: logger)
        try emulator.microsoft.createMailbox(address)
        try emulator.microsoft.createMailbox(otherAddress)
        return OutlookUnderTest(emulator, logger)
    }

    private init(_ emulator: ProviderEmulator, _ logger: Logger) {
        self.emulator = emulator
        transport = HTTPTransport(logger: logger)
        var configuration = OutlookConfiguration()
        configuration.apiURL = "\(emulator.baseURL)/v1.0"
        provider = OutlookProvider(
            configuration: configuration, transport: transport, time: conformanceTime, logger: logger)
        client = OAuthClient(
            provider: .microsoft, clientID: MicrosoftConfiguration().clientID,
            clientSecret: Secret(MicrosoftConfiguration().clientSecret), tokenURL: emulator.microsoftTokenURL
        ) { [transport] in try await transport.send($0) }
    }

    func grant() throws -> OAuthTokens { try OAuthTokens(graph.grant(Self.address)) }
    func foreignGrant() throws -> OAuthTokens { try OAuthTokens(graph.grant(Self.otherAddress)) }

    var requests: Int { graph.stats.requests.values.reduce(0, +) }

    func fill(_ count: Int) throws {
        for index in 0..<count { _ = try deliver("old \(index)", "inbox", isRead: true) }
        for folder in ["deleteditems", "deleteditems", "junkemail"] {
            _ = try deliver("unwanted", folder, isRead: true)
        }
    }

    func arrive() throws -> String { try deliver("new", "inbox", isRead: false) }

    private func deliver(_ subject: String, _ folder: String, isRead: Bool) throws -> String {
        let text = "From: Bob <bob@example.org>\r\nTo: \(Self.address)\r\nSubject: \(subject)\r\n\r\nHello\r\n"
        return try graph.deliver(Array(text.utf8), to: Self.address, folder: folder, .init(isRead: isRead))
    }

    func setRead(_ id: String, _ isRead: Bool) throws { try graph.setRead(id, isRead, in: Self.address) }
    func setStarred(_ id: String, _ isStarred: Bool) throws {
        try graph.setFlag(id, isStarred ? .flagged : .notFlagged, in: Self.address)
    }

    func trash(_ id: String) throws { try graph.trash(id, in: Self.address) }
    func restore(_ id: String) throws { try graph.move(id, to: "inbox", in: Self.address) }
    func delete(_ id: String) throws { try graph.delete(id, in: Self.address) }
    func expireCursors() throws { try graph.expireDelta(of: Self.address) }
    func expirePages() throws { try graph.expireDelta(of: Self.address, folder: "inbox") }

    func setUnreadable(_ id: String, _ isUnreadable: Bool) {
        guard isUnreadable else { return graph.faults.removeAll() }
        // It cannot be read in its page, and not alone.
        graph.faults.add(Fault(.graph(.messagesDelta), times: nil, .page(.damagedItem(id: id))))
        graph.faults.add(Fault(.graph(.messagesGet), match: id, times: nil, .garbage))
    }

    func trouble(_ trouble: Trouble, times: Int) {
        let response: FaultResponse =
            switch trouble {
            case .throttled: .graphError(.mailboxConcurrency)
            case .throttledWithoutSayingHowLong: .graphError(.tooManyRequests)
            case .unavailable: .status(503)
            case .html: .html502
            case .garbage: .garbage
            case .truncated: .truncate(bytes: 30)
            case .dropped: .drop
            case .answerLost: .loseAnswer
            }
        graph.faults.add(Fault(.anyGraph, times: times, response))
    }

    func expireAccessToken() { graph.expireAccessTokens(of: Self.address) }
    func revoke() { graph.revokeGrant(of: Self.address) }

    func truth() throws -> [String: [String]] {
        try graph.snapshot(Self.address).filter { $0.value.isInTree }.mapValues(\.labels)
    }

    func close() async {
        await transport.shutdown()
        await emulator.shutdown()
    }
}
