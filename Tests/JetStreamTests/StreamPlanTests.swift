import MailModel
import Testing

@testable import JetStream

@Suite struct StreamPlanTests {
    private let wanted = StreamConfiguration(name: "S", maxAgeSeconds: 3600, duplicateWindowMilliseconds: 2_000)

    private func existing(_ change: (inout [String: JSONValue]) -> Void = { _ in }) -> JSONValue {
        guard case .object(var fields) = wanted.definition(apiLevel: 0) else { return .null }
        fields["server_added"] = "kept"
        fields["deny_delete"] = nil
        change(&fields)
        return .object(fields)
    }

    @Test func createsWhatIsMissing() {
        #expect(StreamPlan(wanted, apiLevel: 0, existing: nil) == .create(wanted.definition(apiLevel: 0)))
    }

    @Test func leavesWhatIsAsWanted() { #expect(StreamPlan(wanted, apiLevel: 0, existing: existing()) == .nothing) }

    @Test func atomicBatchesOnlyWhereTheServerHasThem() {
        #expect(wanted.definition(apiLevel: 1)["allow_atomic"] == nil)
        #expect(wanted.definition(apiLevel: 2)["allow_atomic"] == true)
        guard case .update(_, let changed) = StreamPlan(wanted, apiLevel: 2, existing: existing()) else {
            Issue.record("no update")
            return
        }
        #expect(changed == ["allow_atomic"])
    }

    @Test func changesOnlyOurFields() {
        let found = existing {
            $0["max_age"] = 1
            $0["max_bytes"] = 5
            $0["description"] = "theirs"
        }
        guard case .update(let definition, let changed) = StreamPlan(wanted, apiLevel: 0, existing: found) else {
            Issue.record("no update")
            return
        }
        #expect(changed == ["max_age"])
        #expect(definition["max_age"] == .integer(3_600_000_000_000))
        #expect(definition["max_bytes"] == 5)
        #expect(definition["description"] == "theirs")
        #expect(definition["server_added"] == "kept")
    }

    @Test(arguments: [
        ("subjects", JSONValue.array(["other.>"])), ("retention", "workqueue"), ("retention", "interest"),
        ("storage", "memory"), ("sealed", true), ("mirror", .object(["name": "X"])),
    ])
    func refusesWhatIsNotOurs(field: String, value: JSONValue) {
        guard case .refuse(let reason) = StreamPlan(wanted, apiLevel: 0, existing: existing { $0[field] = value })
        else {
            Issue.record("not refused: \(field)")
            return
        }
        #expect(reason.contains("STREAM_NAME"))
    }

    @Test func valuesTheServerWouldRefuse() {
        for bad in [
            StreamConfiguration(name: "a b"), StreamConfiguration(name: ""), StreamConfiguration(name: "a.b"),
            StreamConfiguration(replicas: 0), StreamConfiguration(replicas: 6), StreamConfiguration(maxAgeSeconds: 0),
            StreamConfiguration(duplicateWindowMilliseconds: 99),
            StreamConfiguration(maxAgeSeconds: 1, duplicateWindowMilliseconds: 1_001),
            StreamConfiguration(maxAgeSeconds: .max),
        ] {
            #expect(throws: NatsFailure.self) { try bad.validate() }
        }
        #expect(throws: Never.self) { try StreamConfiguration().validate() }
    }
}

@Suite struct NatsConfigurationTests {
    @Test(arguments: ["", "http://x", "nats://", "localhost", "nats//x:1"])
    func refusesBadURLs(url: String) {
        #expect(throws: NatsFailure.self) { try NatsConfiguration(url: url).validate() }
    }

    @Test func takesSeveralURLs() throws {
        let configuration = NatsConfiguration(url: "nats://a:4222, nats://u:secret@b:4223")
        #expect(configuration.urls.count == 2)
        try configuration.validate()
        #expect(configuration.addresses == "nats://a:4222, nats://b:4223")
    }

    @Test func neverShowsAPassword() {
        #expect(throws: NatsFailure.self) { try NatsConfiguration(url: "http://u:secret@h").validate() }
        do {
            try NatsConfiguration(url: "http://u:secret@h").validate()
        } catch {
            #expect(!error.description.contains("secret"))
        }
    }

    @Test func refusesTLSWithAnUnsafeLibrary() throws {
        let configuration = NatsConfiguration(url: "tls://h:4222")
        #expect {
            try configuration.validate(libraryVersion: 0x03_0A_02, named: "3.10.2")
        } throws: { error in
            let text = "\(error)"
            return text.contains("3.10.2") && text.contains("libnats 3.11") && text.contains("leaf node")
        }
        try configuration.validate(libraryVersion: 0x03_0B_00, named: "3.11.0")
    }

    @Test func refusesFilesThatAreNotThere() {
        var configuration = NatsConfiguration(url: "nats://h")
        configuration.credentialsFile = "/nowhere/x.creds"
        #expect(throws: NatsFailure.self) { try configuration.validate() }
    }
}

@Suite struct SmallPartsTests {
    @Test func versionsCompareByNumber() throws {
        let old = try #require(ServerVersion("v2.9.10"))
        let new = try #require(ServerVersion("2.15.1-beta.2"))
        #expect(old < new)
        #expect(old.description == "2.9.10")
        #expect(new == ServerVersion(2, 15, 1))
        #expect(ServerVersion("nats") == nil)
        #expect(ServerVersion("") == nil)
    }

    @Test func deliveryPlaces() {
        let short = DeliveryPlace(reply: "$JS.ACK.S.c.1.42.7.1700000000.3")
        #expect(short?.streamSequence == 42)
        #expect(short?.consumerSequence == 7)
        #expect(short?.remaining == 3)
        let long = DeliveryPlace(reply: "$JS.ACK.hub.acc.S.c.1.42.7.1700000000.3.rnd")
        #expect(long == short)
        #expect(DeliveryPlace(reply: "_INBOX.x") == nil)
        #expect(DeliveryPlace(reply: "$JS.ACK.S.c.1.x.7.1.3") == nil)
    }

    @Test func anyJSONSurvives() throws {
        let text = #"{"a":[1,2.5,true,null,"x"],"big":9007199254740993}"#
        let value = try #require(JSONValue(json: Array(text.utf8)))
        #expect(value.json == Array(text.utf8))
    }

    @Test func lookUpAnswers() throws {
        let none = #"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#
        #expect(try LookedUpMessage(Array(none.utf8)) == nil)
        for bad in ["", "{}", #"{"error":{"code":503,"err_code":10008}}"#, #"{"message":{"seq":4,"data":"e30="}}"#] {
            #expect(throws: PublisherUnavailable.self) { try LookedUpMessage(Array(bad.utf8))?.stored() }
        }
    }
}
