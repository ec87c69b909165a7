import Foundation
import JetStream
import MailModel
import MailTestSupport
import Testing

/// `Docs/schemas`, `Docs/asyncapi.json` and `Docs/EVENTS.md`, held against the events that the code renders. What is
/// published by a running service is held against the schemas by the system tests.
@Suite struct EventDocumentsTests {
    private static let docs = "\(SharedMaterial.packageRoot)/Docs"

    private func schemas() throws -> JSONSchema { try JSONSchema(directory: "\(Self.docs)/schemas", isStrict: true) }

    @Test func everyTypeHasASchemaAndEverySchemaAType() throws {
        let named = Set(try schemas().documents.keys).subtracting(["common.json"])
        #expect(named == Set(EventSamples.all.map { "\($0.type).json" }))
        for sample in EventSamples.all { #expect(EventSamples.type(of: sample.body) == sample.type) }
    }

    @Test(arguments: EventSamples.all.indices) func renderedEventsFit(index: Int) throws {
        let event = EventSamples.all[index]
        let payload = try #require(JSONValue(json: event.payload()))
        #expect(try schemas().faults(of: payload, against: "\(event.type).json") == [])
    }

    /// Each change to an event is noticed: a member taken away, added, or of another type.
    @Test(arguments: EventSamples.all.indices) func changedEventsDoNotFit(index: Int) throws {
        let event = EventSamples.all[index]
        let schemas = try schemas()
        guard case .object(let members) = try #require(JSONValue(json: event.payload())) else { return }
        let required = schemas.documents["\(event.type).json"]?["required"]?.list?.compactMap(\.text) ?? []
        #expect(required.count >= 8)
        var mutants: [(name: String, members: [String: JSONValue])] = [("added", members.merging(["x": 1]) { $1 })]
        for name in members.keys {
            mutants.append(("\(name) changed", members.merging([name: .number(1.5)]) { $1 }))
            if required.contains(name) {
                mutants.append(("\(name) removed", members.filter { $0.key != name }))
            }
        }
        for mutant in mutants {
            let faults = schemas.faults(of: .object(mutant.members), against: "\(event.type).json")
            #expect(!faults.isEmpty, "\(mutant.name)")
        }
    }

    @Test(arguments: ["event_id", "provider", "origin", "seq", "schema"]) func impossibleValuesDoNotFit(name: String)
        throws
    {
        let event = EventSamples.all[0]
        guard case .object(var members) = try #require(JSONValue(json: event.payload())) else { return }
        members[name] = members[name]?.text == nil ? 0 : "nonsense"
        #expect(try !schemas().faults(of: .object(members), against: "\(event.type).json").isEmpty)
    }

    // MARK: AsyncAPI

    private func asyncAPI() throws -> JSONValue {
        let data = try Data(contentsOf: URL(filePath: "\(Self.docs)/asyncapi.json"))
        return try JSONDecoder().decode(JSONValue.self, from: data)
    }

    @Test func everyTypeIsAChannelWithItsSchemaAndAnExampleThatFits() throws {
        let document = try asyncAPI()
        #expect(document["asyncapi"] == "3.0.0")
        guard case .object(let channels) = document["channels"], case .object(let operations) = document["operations"]
        else {
            Issue.record("no channels or no operations")
            return
        }
        var types: Set<String> = []
        for (name, channel) in channels {
            let message = try #require(document["components"]?["messages"]?[name], "\(name)")
            let type = try #require(message["name"]?.text)
            #expect(channel["address"] == .string("user.{user}.\(type)"))
            #expect(channel["messages"]?[name]?["$ref"] == .string("#/components/messages/\(name)"))
            #expect(message["payload"]?["$ref"] == .string("schemas/\(type).json"))
            for example in message["examples"]?.list ?? [] {
                let payload = try #require(example["payload"])
                #expect(try schemas().faults(of: payload, against: "\(type).json") == [], "\(type)")
            }
            #expect(message["examples"]?.list?.isEmpty == false)
            types.insert(type)
        }
        #expect(types == Set(EventSamples.all.map(\.type)))
        #expect(operations.count == channels.count)
        for operation in operations.values { #expect(operation["action"] == "send") }
    }

    @Test func everyReferenceOfTheDocumentLeadsSomewhere() throws {
        let document = try asyncAPI()
        var references: [String] = []
        func walk(_ value: JSONValue) {
            switch value {
            case .object(let members):
                references += [members["$ref"]?.text].compactMap { $0 }
                members.values.forEach(walk)
            case .array(let items): items.forEach(walk)
            default: break
            }
        }
        walk(document)
        #expect(references.count > 40)
        for reference in references {
            if reference.hasPrefix("#/") {
                let found = reference.dropFirst(2).split(separator: "/").reduce(document as JSONValue?) {
                    $0?[String($1)]
                }
                #expect(found != nil, "\(reference)")
            } else {
                #expect(FileManager.default.fileExists(atPath: "\(Self.docs)/\(reference)"), "\(reference)")
            }
        }
    }

    // MARK: EVENTS.md

    /// A heading of an event's type is followed by an example of it.
    @Test func theExamplesForPeopleFit() throws {
        let text = try String(contentsOfFile: "\(Self.docs)/EVENTS.md", encoding: .utf8)
        for type in Set(EventSamples.all.map(\.type)) {
            let section = try #require(text.components(separatedBy: "\n### `\(type)`\n").dropFirst().first, "\(type)")
            let blocks = section.components(separatedBy: "```")
            let example = try #require(blocks.dropFirst().first { $0.hasPrefix("json\n") }, "\(type)")
            let payload = try #require(JSONValue(json: Array(example.dropFirst("json\n".count).utf8)), "\(type)")
            #expect(try schemas().faults(of: payload, against: "\(type).json") == [], "\(type)")
        }
    }
}
