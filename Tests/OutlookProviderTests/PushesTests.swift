import Foundation
import HTTPTransport
import Logging
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

@testable import OutlookProvider

/// Subscribing to a mailbox at the emulator, which checks the address of a webhook on loopback.
@Suite(.timeLimit(.minutes(2))) struct PushesTests {
    private static let state = Secret("what the subscription was told")
    /// Graph's limit, in minutes.
    private static let limit: Int64 = 4230

    /// - Parameter clock: the emulator's; it begins with the fixture's.
    private func run(
        endpoint: GraphEndpoint? = nil, clock: InstantTime = InstantTime(),
        rules: (inout GraphSubscriptionRules) -> Void = { _ in },
        outlook: (inout OutlookConfiguration) -> Void = { _ in },
        _ body: (OutlookFixture, any MailboxPushes, GraphEndpoint) async throws -> Void
    ) async throws {
        let endpoint = try endpoint ?? GraphEndpoint()
        try await OutlookFixture.run({ options in
            options.emulator.time = clock
            rules(&options.emulator.microsoft.subscriptions)
            options.outlook.notificationURL = endpoint.url
            outlook(&options.outlook)
        }) { fixture in
            let pushes = try #require(fixture.provider.pushes(tokens: fixture.tokens, budget: fixture.budget))
            try await body(fixture, pushes, endpoint)
        }
    }

    private func truths(_ fixture: OutlookFixture) throws -> [GraphSubscriptionTruth] {
        try fixture.graph.subscriptions(of: OutlookFixture.address)
    }

    private func failure(_ body: () async throws -> Void) async throws -> SyncFailure? {
        do {
            try await body()
            return nil
        } catch let failure as SyncFailure {
            return failure
        }
    }

    @Test func thereAreNoneWithoutAnAddress() async throws {
        try await OutlookFixture.run { fixture in
            #expect(fixture.provider.pushes(tokens: fixture.tokens, budget: fixture.budget) == nil)
        }
    }

    @Test func aSubscriptionIsOfTheWholeMailbox() async throws {
        try await run { fixture, pushes, endpoint in
            let now = fixture.time.now()
            let granted = try await pushes.subscribe(clientState: Self.state)
            let truth = try #require(try truths(fixture).first)
            #expect(granted == PushSubscription(id: truth.id, expiresAt: truth.expiresAt))
            #expect(truth.resource == "me/messages" && truth.changeType == "created,updated,deleted")
            #expect(truth.notificationURL == endpoint.url && truth.lifecycleURL == endpoint.url)
            #expect(truth.clientState == Self.state.revealed)
            #expect(granted.expiresAt > now + 4200 * 60 && granted.expiresAt <= now + Self.limit * 60)
            #expect(endpoint.posts.compactMap(\.validationToken).count == 2)
            #expect(fixture.budget.units == 1 && fixture.calls(.subscriptionsCreate) == 1)
        }
    }

    @Test func whatArrivesIsAnnouncedByItsImmutableID() async throws {
        try await run { fixture, pushes, endpoint in
            let granted = try await pushes.subscribe(clientState: Self.state)
            let id = try fixture.deliver()
            await fixture.emulator.courier.untilIdle()
            let entries = endpoint.notifications.flatMap(\.entries)
            #expect(entries.count == 2)
            for entry in entries {
                #expect(entry["subscriptionId"] as? String == granted.id)
                #expect(entry["clientState"] as? String == Self.state.revealed)
                #expect((entry["resourceData"] as? [String: Any])?["id"] as? String == id)
            }
        }
    }

    @Test func lessIsAskedForWhenItIsTooLong() async throws {
        for (limit, expected) in [(4230, 4225), (4200, 4140), (1440, 1440), (600, 60)] as [(Int64, Int64)] {
            try await run(rules: { $0.lifetimeMinutesMax = limit }) { fixture, pushes, _ in
                let now = fixture.time.now()
                let granted = try await pushes.subscribe(clientState: Self.state)
                #expect(granted.expiresAt == now + expected * 60, "\(limit)")
                #expect(try truths(fixture).count == 1)
            }
        }
        try await run(rules: { $0.lifetimeMinutesMax = 50 }) { fixture, pushes, _ in
            let failure = try await failure { _ = try await pushes.subscribe(clientState: Self.state) }
            #expect(failure?.code == OutlookFailure.Code.subscriptionTooLong && failure?.decision == .stop)
        }
    }

    @Test func moreThanWasAskedForIsReadBack() async throws {
        try await run(rules: { $0.lifetimeMinutesMin = 4230 }) { fixture, pushes, _ in
            let granted = try await pushes.subscribe(clientState: Self.state)
            #expect(granted.expiresAt == fixture.time.now() + 4230 * 60)
        }
    }

    // MARK: Renewing

    @Test func renewingMakesItLastLonger() async throws {
        let clock = InstantTime()
        try await run(clock: clock) { fixture, pushes, _ in
            let granted = try await pushes.subscribe(clientState: Self.state)
            fixture.time.advance(by: .seconds(600))
            // Graph's clock is behind: what is asked for is too long for it at first.
            #expect(try await pushes.renew(granted) == granted)
            clock.advance(by: .seconds(600))
            let renewed = try #require(try await pushes.renew(granted))
            #expect(renewed == PushSubscription(id: granted.id, expiresAt: granted.expiresAt + 600))
            #expect(try truths(fixture).map(\.expiresAt) == [renewed.expiresAt])
        }
    }

    @Test func renewingLosesNothingThatWasGranted() {
        let now: UnixSeconds = 1_767_225_600
        #expect(
            OutlookPushes.wishes(at: now, atLeast: 0)
                == [now + 4225 * 60, now + 4140 * 60, now + 1440 * 60, now + 3600])
        let week = now + 7 * 86_400
        #expect(OutlookPushes.wishes(at: now, atLeast: week) == [week])
        let twoDays = now + 2 * 86_400
        #expect(OutlookPushes.wishes(at: now, atLeast: twoDays) == [now + 4225 * 60, now + 4140 * 60, twoDays])
    }

    @Test func renewingHealsReauthorization() async throws {
        try await run { fixture, pushes, endpoint in
            let granted = try await pushes.subscribe(clientState: Self.state)
            try fixture.graph.sendLifecycle(.reauthorizationRequired, to: OutlookFixture.address)
            #expect(try truths(fixture).first?.isPaused == true)
            _ = try await pushes.renew(granted)
            #expect(try truths(fixture).first?.isPaused == false)
            await fixture.emulator.courier.untilIdle()
            let events = endpoint.notifications.flatMap(\.entries).compactMap { $0["lifecycleEvent"] as? String }
            #expect(events == ["reauthorizationRequired"])
        }
    }

    @Test func whatIsGoneIsNotRenewed() async throws {
        try await run { fixture, pushes, _ in
            let granted = try await pushes.subscribe(clientState: Self.state)
            try fixture.graph.expireSubscriptions(of: OutlookFixture.address)
            #expect(try await pushes.renew(granted) == nil)
            try await pushes.unsubscribe(granted)
            #expect(try await pushes.renew(PushSubscription(id: "no such/thing", expiresAt: 0)) == nil)
        }
    }

    @Test func whatAnnouncesElsewhereEnds() async throws {
        let clock = InstantTime()
        let before = try GraphEndpoint()
        try await run(clock: clock) { fixture, pushes, _ in
            var moved = OutlookConfiguration()
            moved.apiURL = fixture.emulator.graphURL
            moved.notificationURL = before.url
            let transport = HTTPTransport(logger: Logger(label: "moved") { _ in SwiftLogNoOpLogHandler() })
            let old = try #require(
                OutlookProvider(
                    configuration: moved, transport: transport, time: clock,
                    logger: Logger(label: "moved") { _ in SwiftLogNoOpLogHandler() }
                ).pushes(tokens: fixture.tokens, budget: fixture.budget))
            let granted = try await old.subscribe(clientState: Self.state)
            #expect(try await pushes.renew(granted) == nil)
            #expect(try truths(fixture).isEmpty)
            await transport.shutdown()
        }
    }

    @Test func itEnds() async throws {
        try await run { fixture, pushes, endpoint in
            let granted = try await pushes.subscribe(clientState: Self.state)
            try await pushes.unsubscribe(granted)
            #expect(try truths(fixture).isEmpty)
            try fixture.deliver()
            await fixture.emulator.courier.untilIdle()
            #expect(endpoint.notifications.isEmpty)
        }
    }

    // MARK: What is there already

    @Test func askingTwiceGivesTheSame() async throws {
        try await run { fixture, pushes, _ in
            let first = try await pushes.subscribe(clientState: Self.state)
            let second = try await pushes.subscribe(clientState: Self.state)
            #expect(second.id == first.id && second.expiresAt >= first.expiresAt)
            #expect(try truths(fixture).count == 1)
        }
    }

    @Test func whatGraphDoesNotShowTheStateOfIsMadeAnew() async throws {
        try await run(rules: { $0.listsClientState = false }) { fixture, pushes, _ in
            let first = try await pushes.subscribe(clientState: Self.state)
            let second = try await pushes.subscribe(clientState: Self.state)
            #expect(second.id != first.id)
            #expect(try truths(fixture).map(\.id) == [second.id])
        }
    }

    @Test func anotherStateIsAnotherSubscription() async throws {
        try await run { fixture, pushes, _ in
            _ = try await pushes.subscribe(clientState: Self.state)
            _ = try await pushes.subscribe(clientState: Secret("another account of the same mailbox"))
            #expect(try truths(fixture).count == 2)
        }
    }

    @Test(arguments: [FaultResponse.loseAnswer, .truncate(bytes: 40), .garbage, .cut(bytes: 30)])
    func aLostAnswerLeavesOneSubscription(fault: FaultResponse) async throws {
        try await run { fixture, pushes, _ in
            fixture.fault(.subscriptionsCreate, fault)
            let granted = try await pushes.subscribe(clientState: Self.state)
            #expect(try truths(fixture).map(\.id) == [granted.id])
        }
    }

    @Test func passingTroubleIsWaitedFor() async throws {
        try await run { fixture, pushes, _ in
            fixture.fault(.subscriptionsCreate, .graphError(.tooManyRequests))
            fixture.fault(.subscriptionsCreate, .graphError(.unavailable))
            let granted = try await pushes.subscribe(clientState: Self.state)
            fixture.fault(.subscriptionsUpdate, .expireAccessToken)
            #expect(try await pushes.renew(granted)?.id == granted.id)
            fixture.fault(.subscriptionsDelete, .drop)
            try await pushes.unsubscribe(granted)
            #expect(try truths(fixture).isEmpty)
            #expect(fixture.budget.throttles.count == 1)
        }
    }

    // MARK: Failures

    @Test func anAddressThatIsNotOursIsForTheOperator() async throws {
        let replies: [GraphEndpoint.Reply] = [.status(404), .text("another text"), .text("<html>", type: "text/html")]
        for reply in replies {
            try await run(endpoint: try GraphEndpoint { _, _ in reply }) { fixture, pushes, _ in
                let failure = try await failure { _ = try await pushes.subscribe(clientState: Self.state) }
                #expect(failure?.decision == .stop && failure?.code == "push_endpoint_unreachable")
                #expect(failure?.message.contains("PUBLIC_URL") == true)
                #expect(try truths(fixture).isEmpty && fixture.calls(.subscriptionsCreate) == 1)
            }
        }
    }

    @Test func aSilentAddressIsForTheOperatorToo() async throws {
        let silent = try GraphEndpoint { _, _ in .silence }
        try await run(endpoint: silent, rules: { $0.handshakeTimeout = .milliseconds(50) }) { _, pushes, _ in
            let failure = try await failure { _ = try await pushes.subscribe(clientState: Self.state) }
            #expect(failure?.code == "push_endpoint_unreachable")
        }
    }

    @Test(arguments: [
        (GraphError.subscriptionLimit, "subscription_limit", true),
        (.accessDenied, "subscription_forbidden", true),
        (.noMailbox, "mail_not_enabled", true),
        (
            GraphError(
                400, "ExtensionError",
                "Operation: Create; Exception: [Status Code: NotFound; Reason: REST API is not yet supported for this mailbox.]"
            ), "mail_not_enabled", true
        ),
        (GraphError(400, "ExtensionError", "Operation: Create; Exception: [x]"), "subscription_refused", false),
        (GraphError(400, "InvalidRequest", "changeType"), "bad_request", true),
        (GraphError(404, "UnknownError", "no segment"), "not_found", true),
    ])
    func refusals(error: GraphError, code: String, isFinal: Bool) async throws {
        try await run { fixture, pushes, _ in
            fixture.fault(.subscriptionsCreate, times: nil, .graphError(error))
            let failure = try await failure { _ = try await pushes.subscribe(clientState: Self.state) }
            #expect(failure?.code == code && (failure?.decision == .stop) == isFinal)
            #expect(failure.map { "\($0)".contains(Self.state.revealed) } == false)
        }
    }

    @Test(.enabled(if: SharedMaterial.specs != nil))
    func theRecordedLimitIsUnderstood() throws {
        let specs = try #require(SharedMaterial.specs)
        let file = URL(filePath: "\(specs)/graph/errors/400-subscription-too-long.json")
        let response = HTTPResponse(status: 400, body: Array(try Data(contentsOf: file)))
        for endpoint in [OutlookFailure.Endpoint.subscribing, .subscription] {
            let failure = OutlookFailure.failure(of: response, at: endpoint, now: 0)
            #expect(failure.code == OutlookFailure.Code.subscriptionTooLong)
        }
    }

    /// The forms seen in practice, under both codes.
    @Test(arguments: [
        "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request.",
        "Subscription validation request failed. Must respond with 200 OK to this request.",
        "Subscription validation request failed. HTTP status code is 'Forbidden'.",
        "Subscription validation request timed out.",
    ])
    func everyFailedValidationIsUnderstood(message: String) {
        for code in ["ValidationError", "InvalidRequest"] {
            let body = #"{"error":{"code":"\#(code)","message":"\#(message)"}}"#
            let response = HTTPResponse(status: 400, body: Array(body.utf8))
            let failure = OutlookFailure.failure(of: response, at: .subscribing, now: 0)
            #expect(failure.code == "push_endpoint_unreachable" && failure.decision == .stop)
        }
    }

    @Test func timesAreWrittenAsGraphReadsThem() {
        #expect(GraphTime.text(1_767_225_600) == "2026-01-01T00:00:00Z")
        #expect(GraphTime.text(1_709_210_096) == "2024-02-29T12:34:56Z")
        for time: UnixSeconds in [0, 951_782_400, 1_767_225_599, 4_102_444_799] {
            #expect(GraphTime.parse(GraphTime.text(time)) == time)
        }
    }
}
