import Foundation
import HTTPTransport
import MailTestSupport
import Testing

@testable import ProviderEmulator

/// The calls on subscriptions.
@Suite(.timeLimit(.minutes(2))) struct SubscriptionTests {
    private let address = GraphFixture.address

    @Test func aSubscriptionIsMadeShownRenewedAndEnded() async throws {
        try await SubscriptionFixture.run { fixture in
            let made = try await fixture.subscribe(minutes: 60)
            let id = try #require(made["id"] as? String)
            #expect(UUID(uuidString: id) != nil && made["expirationDateTime"] as? String == "2026-01-01T01:00:00Z")
            #expect(made["clientState"] as? String == "state" && made["resource"] as? String == "me/messages")
            let shown = try await fixture.call(.get, "/\(id)").object()
            #expect(shown["notificationUrl"] as? String == fixture.endpoint.url)
            let list = try await fixture.call(.get).object()["value"] as? [[String: Any]]
            #expect(list?.compactMap { $0["id"] as? String } == [id])
            let renewal = #"{"expirationDateTime":"2026-01-01T02:00:00.0000000Z"}"#
            let renewed = try await fixture.call(.patch, "/\(id)", renewal).object()
            #expect(renewed["expirationDateTime"] as? String == "2026-01-01T02:00:00Z")
            #expect(try await fixture.call(.delete, "/\(id)").status == 204)
            for (method, path, body) in [
                (HTTPRequest.Method.get, "/\(id)", nil), (.patch, "/\(id)", renewal), (.delete, "/\(id)", nil),
                (.post, "/\(id)/reauthorize", ""),
            ] {
                let gone = try await fixture.call(method, path, body)
                #expect(gone.status == 404 && gone.code == "ResourceNotFound")
            }
        }
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func answersFitTheSchemaAndTheSample() async throws {
        let schema = try GraphSchema()
        let path = "\(SharedMaterial.specs ?? "")/graph/docs-samples/subscription-create.response-201.json"
        let sample = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any]
        try await SubscriptionFixture.run { fixture in
            let made = try await fixture.subscribe()
            #expect(schema.misfits(made, "subscription") == [])
            #expect(Set(made.keys) == Set(sample?.keys.map { $0 } ?? []))
            let list = try await fixture.call(.get).object()["value"] as? [[String: Any]] ?? []
            #expect(list.count == 1 && schema.misfits(list[0], "subscription") == [])
        }
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func theDocumentedRequestIsTaken() async throws {
        let path = "\(SharedMaterial.specs ?? "")/graph/docs-samples/subscription-create.request.json"
        let sample = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any]
        try await SubscriptionFixture.run { fixture in
            // Its addresses are not ours, and its time is not now.
            let kept = try #require(sample).filter { ["changeType", "resource", "clientState"].contains($0.key) }
            let made = try await fixture.subscribe(kept)
            #expect(made["resource"] as? String == "/me/mailfolders('inbox')/messages")
            #expect(made["changeType"] as? String == "created,updated")
        }
    }

    // MARK: Time

    @Test func tooLongIsRefusedInTheRecordedForm() async throws {
        try await SubscriptionFixture.run { fixture in
            for minutes: Int64 in [4231, 10_080] {
                let refused = try await fixture.call(.post, "", try fixture.request(minutes: minutes))
                #expect(refused.status == 400 && refused.code == "ExtensionError")
                #expect(refused.text.contains("Subscription expiration can only be 4230 minutes in the future."))
            }
            let id = try #require(try await fixture.subscribe()["id"] as? String)
            let body = #"{"expirationDateTime":"2026-01-04T00:00:00Z"}"#
            #expect(try await fixture.call(.patch, "/\(id)", body).code == "ExtensionError")
            let past = try await fixture.call(.post, "", try fixture.request(minutes: -1))
            #expect(past.status == 400 && past.code == "InvalidRequest")
        }
    }

    @Test func tooShortIsRaised() async throws {
        try await SubscriptionFixture.run { fixture in
            let made = try await fixture.subscribe(minutes: 5)
            #expect(made["expirationDateTime"] as? String == "2026-01-01T00:45:00Z")
        }
    }

    @Test func itEndsWithItsTime() async throws {
        try await SubscriptionFixture.run { fixture in
            try await fixture.subscribe(minutes: 45)
            fixture.graph.base.time.advance(by: .seconds(45 * 60 - 1))
            #expect(try fixture.microsoft.subscriptions(of: address).count == 1)
            try fixture.graph.deliver("in time")
            #expect(await fixture.told().count == 2)
            fixture.graph.base.time.advance(by: .seconds(1))
            #expect(try fixture.microsoft.subscriptions(of: address).isEmpty)
            try fixture.graph.deliver("too late")
            #expect(await fixture.told().count == 2)
        }
    }

    // MARK: What there is

    @Test func theSameTwiceIsAConflict() async throws {
        try await SubscriptionFixture.run { fixture in
            try await fixture.subscribe()
            let again = try await fixture.call(.post, "", try fixture.request())
            #expect(again.status == 409 && fixture.endpoint.posts.count == 2)
            try await fixture.subscribe(["clientState": "another"])
            try await fixture.subscribe(["changeType": "created"])
            try await fixture.subscribe(["resource": "me/mailFolders('inbox')/messages"])
            #expect(try fixture.microsoft.subscriptions(of: address).count == 4)
        }
    }

    @Test func aMailboxHasALimit() async throws {
        try await SubscriptionFixture.run(configure: { $0.microsoft.subscriptions.perMailboxMax = 2 }) { fixture in
            try await fixture.subscribe(["clientState": "1"])
            try await fixture.subscribe(["clientState": "2"])
            let third = try await fixture.call(.post, "", try fixture.request(["clientState": "3"]))
            #expect(third.status == 403 && third.text.contains("limit"))
        }
    }

    @Test func othersHaveTheirOwn() async throws {
        try await SubscriptionFixture.run { fixture in
            try fixture.microsoft.createMailbox("bo@example.org")
            let bo = try fixture.microsoft.grant("bo@example.org").accessToken
            let id = try #require(try await fixture.subscribe()["id"] as? String)
            try await fixture.subscribe(token: bo)
            #expect(try await fixture.call(.get, "/\(id)", token: bo).status == 404)
            #expect(try await fixture.call(.delete, "/\(id)", token: bo).status == 404)
            let list = try await fixture.call(.get, token: bo).object()["value"] as? [[String: Any]]
            #expect(list?.count == 1 && list?.first?["id"] as? String != id)
            #expect(try await fixture.call(.get, token: "x").status == 401)
        }
    }

    @Test func revokingEndsThem() async throws {
        try await SubscriptionFixture.run { fixture in
            try await fixture.subscribe()
            fixture.microsoft.revokeGrant(of: address)
            #expect(await fixture.told().events == ["subscriptionRemoved"])
            #expect(try fixture.microsoft.subscriptions(of: address).isEmpty)
        }
    }

    @Test(
        arguments: [
            ["changeType": nil], ["changeType": "moved"], ["notificationUrl": nil], ["resource": nil],
            ["resource": "me/events"], ["resource": "users/somebody@else.example/messages"],
            ["expirationDateTime": nil], ["expirationDateTime": "soon"],
            ["clientState": String(repeating: "x", count: 129)],
        ] as [[String: String?]])
    func nonsenseIsRefused(changes: [String: String?]) async throws {
        try await SubscriptionFixture.run { fixture in
            let refused = try await fixture.call(.post, "", try fixture.request(changes.mapValues { $0 as Any? }))
            #expect(refused.status == 400 && fixture.endpoint.posts.isEmpty, "\(refused.text)")
            #expect(try await fixture.call(.post, "", "{").status == 400)
        }
    }

    // MARK: The check of an address

    @Test func bothAddressesAreChecked() async throws {
        try await SubscriptionFixture.run { fixture in
            let lifecycle = try GraphEndpoint()
            try await fixture.subscribe(["lifecycleNotificationUrl": lifecycle.url + "?x=1"])
            for (posts, isPlain) in [(fixture.endpoint.posts, true), (lifecycle.posts, false)] {
                #expect(posts.count == 1 && posts[0].body.isEmpty)
                #expect(posts[0].headers["content-type"] == "text/plain; charset=utf-8")
                #expect(posts[0].target.contains(isPlain ? "?validationToken=" : "?x=1&validationToken="))
                // As Graph encodes it: spaces as '+', digits in lower case.
                #expect(posts[0].target.contains("Validation%3a+Testing+client+application"))
                #expect(posts[0].validationToken?.hasPrefix("Validation: Testing client application") == true)
            }
            try await fixture.subscribe(["lifecycleNotificationUrl": nil, "clientState": "alone"])
            #expect(fixture.endpoint.posts.count == 2)
        }
    }

    @Test func anAddressThatFailsTheCheckIsRefused() async throws {
        let replies: [(GraphEndpoint.Reply, String)] = [
            (.status(200), "200 OK"), (.status(404), "200 OK"), (.text("another"), "exactly match"),
            (.text("<html>", type: "text/html"), "200 OK"), (.silence, "timed out"),
        ]
        for (reply, expected) in replies {
            let endpoint = try GraphEndpoint { _, _ in reply }
            let isSilent = expected == "timed out"
            try await SubscriptionFixture.run(
                endpoint,
                configure: {
                    $0.microsoft.subscriptions.handshakeTimeout = isSilent ? .milliseconds(50) : .seconds(10)
                }
            ) { fixture in
                let refused = try await fixture.call(.post, "", try fixture.request())
                #expect(refused.status == 400 && refused.code == "ValidationError")
                #expect(refused.text.contains(expected), "\(refused.text)")
                #expect(try fixture.microsoft.subscriptions(of: address).isEmpty)
            }
        }
    }

    @Test func aCreateCallThatWaitsTakesNoPlace() async throws {
        // The address answers when the mailbox has been read four times meanwhile.
        let isFree = DispatchSemaphore(value: 0)
        let endpoint = try GraphEndpoint { number, post in
            if number == 1 { isFree.wait() }
            return GraphEndpoint.standard(number, post)
        }
        try await SubscriptionFixture.run(endpoint) { (fixture: SubscriptionFixture) async throws in
            let request = try fixture.request()
            async let made = fixture.call(.post, "", request).status
            await endpoint.received(1)
            for _ in 0..<4 {
                let read = try await fixture.graph.get("/me")
                #expect(read.status == 200)
            }
            isFree.signal()
            #expect(try await made == 201)
        }
    }
}
