import Foundation
import HTTPTransport
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

@testable import GmailProvider

@Suite struct PushesTests {
    private static let topic = "projects/p/topics/gmail"
    private static let ignored = Secret("not used at Google")

    private func run(
        topic: String = topic, _ adjust: (inout GmailFixture.Options) -> Void = { _ in },
        _ body: (GmailFixture, any MailboxPushes) async throws -> Void
    ) async throws {
        try await GmailFixture.run(
            {
                $0.gmail.topic = topic
                $0.scopes = [GmailScope.metadata]
                adjust(&$0)
            },
            { fixture in
                let pushes = try #require(fixture.provider.pushes(tokens: fixture.tokens, budget: fixture.budget))
                try await body(fixture, pushes)
            })
    }

    @Test func withoutATopicThereAreNone() async throws {
        try await GmailFixture.run { (fixture: GmailFixture) async throws in
            #expect(fixture.provider.pushes(tokens: fixture.tokens, budget: fixture.budget) == nil)
        }
    }

    @Test func subscribingNamesTheMailboxAndTheGrantedEnd() async throws {
        let time = ManualTime(nowMilliseconds: 1_767_225_600_500)
        try await run({ $0.emulator.time = time }) { (fixture: GmailFixture, pushes: any MailboxPushes) async throws in
            let subscription = try await pushes.subscribe(clientState: Self.ignored)
            #expect(subscription.id == GmailFixture.address.lowercased())
            #expect(subscription.expiresAt == 1_767_225_600 + 7 * 86_400)
            #expect(fixture.google.watch(of: GmailFixture.address)?.topic == Self.topic)
            #expect(fixture.google.watch(of: GmailFixture.address)?.labels == [])
            #expect(fixture.budget.units == 101)
        }
    }

    @Test func renewingIsWatchingAgain() async throws {
        let time = ManualTime(nowMilliseconds: 1_767_225_600_000)
        try await run({ $0.emulator.time = time }) { (fixture: GmailFixture, pushes: any MailboxPushes) async throws in
            let first = try await pushes.subscribe(clientState: Self.ignored)
            time.advance(by: .seconds(1000))
            let second = try #require(try await pushes.renew(first))
            #expect(second == PushSubscription(id: first.id, expiresAt: first.expiresAt + 1000))
            #expect(fixture.calls(.watch) == 2)
            #expect(fixture.calls(.getProfile) == 1)
            fixture.google.endWatch(of: GmailFixture.address)
            #expect(try await pushes.renew(second)?.id == first.id)
            #expect(fixture.google.watch(of: GmailFixture.address) != nil)
        }
    }

    @Test func unsubscribingEndsTheWatchAndMayBeRepeated() async throws {
        try await run { (fixture: GmailFixture, pushes: any MailboxPushes) async throws in
            let subscription = try await pushes.subscribe(clientState: Self.ignored)
            for _ in 0..<2 {
                try await pushes.unsubscribe(subscription)
                #expect(fixture.google.watch(of: GmailFixture.address) == nil)
            }
            fixture.google.faults.add(Fault(.gmail(.stop), .error(.notFound)))
            try await pushes.unsubscribe(subscription)
            #expect(fixture.budget.units == 101 + 3 * 50)
        }
    }

    /// The topic's setting was changed, or another deployment has the watch.
    @Test func aWatchOnAnotherTopicIsTakenOverBySubscribing() async throws {
        try await run { (fixture: GmailFixture, pushes: any MailboxPushes) async throws in
            var other = GmailConfiguration()
            other.apiURL = fixture.emulator.baseURL
            other.topic = "projects/p/topics/other"
            let transport = HTTPTransport(logger: .init(label: "pushes-tests"))
            let theirs = try #require(
                GmailProvider(configuration: other, transport: transport, logger: .init(label: "pushes-tests"))
                    .pushes(tokens: fixture.tokens, budget: fixture.budget))
            let subscription = try await theirs.subscribe(clientState: Self.ignored)
            #expect(try await pushes.renew(subscription) == nil)
            _ = try await pushes.subscribe(clientState: Self.ignored)
            #expect(fixture.google.watch(of: GmailFixture.address)?.topic == Self.topic)
            await transport.shutdown()
        }
    }

    @Test(
        arguments: [
            (.topicForbidden, .stop, "topic_forbidden"), (.topicMissing, .stop, "topic_not_found"),
            (.accessNotConfigured, .stop, "api_disabled"), (.domainPolicy, .stop, "domain_policy"),
            (.insufficientScopes(method: "watch"), .reauthenticate, "insufficient_scope"),
            (.perUserQuota, .retry(after: nil, scope: .account), "rate_limited"),
            (.precondition, .retry(after: nil, scope: .account), "precondition_failed"),
            (.authError, .retry(after: nil, scope: .account), "unauthorized"),
            (.backendError, .retry(after: nil, scope: .account), "server_error"),
            (.dailyLimit, .retry(after: .seconds(3600), scope: .project), "project_limit"),
        ] as [(GmailError, FailureDecision, String)])
    func everyRefusalIsDecided(_ error: GmailError, _ decision: FailureDecision, _ code: String) async throws {
        try await run { (fixture: GmailFixture, pushes: any MailboxPushes) async throws in
            fixture.google.faults.add(Fault(.gmail(.watch), times: nil, .error(error)))
            let failure = await fixture.failure { _ = try await pushes.subscribe(clientState: Self.ignored) }
            #expect(failure?.decision == decision)
            #expect(failure?.code == code)
            #expect(fixture.google.watch(of: GmailFixture.address) == nil)
        }
    }

    @Test func whatAnOperatorHasToDoIsSaid() async throws {
        try await run { (fixture: GmailFixture, pushes: any MailboxPushes) async throws in
            fixture.google.faults.add(Fault(.gmail(.watch), .error(.topicForbidden)))
            let failure = await fixture.failure { _ = try await pushes.subscribe(clientState: Self.ignored) }
            #expect(failure?.message.contains(Self.topic) == true)
            #expect(failure?.message.contains("gmail-api-push@system.gserviceaccount.com") == true)
            #expect(failure?.message.contains("roles/pubsub.publisher") == true)
        }
        try await run(topic: "projects/other/topics/t", { $0.emulator.googlePushes.project = "p" }) {
            (fixture: GmailFixture, pushes: any MailboxPushes) async throws in
            let failure = await fixture.failure { _ = try await pushes.subscribe(clientState: Self.ignored) }
            #expect(failure?.decision == .stop)
            #expect(failure?.code == "topic_refused")
        }
    }

    @Test(arguments: [FaultResponse.html502, .drop, .garbage, .status(503), .loseAnswer])
    func passingTroubleIsTriedAgain(_ fault: FaultResponse) async throws {
        try await run { (fixture: GmailFixture, pushes: any MailboxPushes) async throws in
            fixture.google.faults.add(Fault(.gmail(.watch), fault))
            fixture.google.faults.add(Fault(.gmail(.stop), fault == .garbage ? .html502 : fault))
            let subscription = try await pushes.subscribe(clientState: Self.ignored)
            #expect(fixture.calls(.watch) >= 1)
            try await pushes.unsubscribe(subscription)
            #expect(fixture.google.watch(of: GmailFixture.address) == nil)
        }
    }

    @Test func anExpiredTokenIsReplaced() async throws {
        try await run { (fixture: GmailFixture, pushes: any MailboxPushes) async throws in
            fixture.google.expireAccessTokens(of: GmailFixture.address)
            #expect(try await pushes.subscribe(clientState: Self.ignored).id == GmailFixture.address.lowercased())
        }
    }

    @Test(arguments: ["{}", "{\"expiration\":\"soon\"}", "{\"expiration\":0}", "[]", "{\"expiration\":\"-5\"}"])
    func anAnswerWithoutAnEndIsNoAnswer(_ text: String) async throws {
        let calls = AnsweringCalls(watch: text)
        let provider = calls.provider(topic: Self.topic)
        let pushes = try #require(provider.pushes(tokens: calls.tokens, budget: RecordingBudget()))
        let failure = await #expect(throws: SyncFailure.self) { try await pushes.subscribe(clientState: Self.ignored) }
        #expect(failure?.code == "unreadable_answer")
    }

    @Test func aNumberIsAnEndToo() async throws {
        let calls = AnsweringCalls(watch: "{\"expiration\":1720183655953}")
        let provider = calls.provider(topic: Self.topic)
        let pushes = try #require(provider.pushes(tokens: calls.tokens, budget: RecordingBudget()))
        let subscription = try await pushes.subscribe(clientState: Self.ignored)
        #expect(subscription == PushSubscription(id: "ann@example.net", expiresAt: 1_720_183_655))
    }

    @Test func costsCanBeSet() {
        let costs = GmailUnitCosts(parsing: "watch=7,stop=8")
        #expect(costs?.watch == 7 && costs?.stop == 8 && costs?.messagesGet == 20)
        #expect(GmailUnitCosts().watch == 100 && GmailUnitCosts().stop == 50)
    }
}

/// A Gmail that answers watches with a text.
private struct AnsweringCalls {
    let watch: String
    let tokens = GrantTokens(Secret("t")) { Secret("t") }

    func provider(topic: String) -> GmailProvider {
        var configuration = GmailConfiguration()
        configuration.topic = topic
        return GmailProvider(configuration: configuration, time: InstantTime(), logger: .init(label: "pushes-tests")) {
            [watch] request in
            let text = request.url.contains("/profile") ? "{\"emailAddress\":\"Ann@Example.net\"}" : watch
            return HTTPResponse(status: 200, body: Array(text.utf8))
        }
    }
}
