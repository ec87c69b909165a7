import JetStream
import MailTestSupport
import Testing

/// The validator itself: every keyword accepts what it should and refuses what it should.
@Suite struct JSONSchemaTests {
    @Test(arguments: [
        (#"{"type":"string"}"#, #""a""#, "1"), (#"{"type":"integer"}"#, "1", "1.5"),
        (#"{"type":"number"}"#, "1.5", "true"),
        (#"{"type":"boolean"}"#, "false", "0"), (#"{"type":"null"}"#, "null", "{}"), (#"{"type":"array"}"#, "[]", "{}"),
        (#"{"type":"object"}"#, "{}", "[]"), (#"{"type":["string","null"]}"#, "null", "1"),
        (#"{"const":1}"#, "1", "2"), (#"{"const":{"a":[1]}}"#, #"{"a":[1]}"#, #"{"a":[2]}"#),
        (#"{"enum":["a","b"]}"#, #""b""#, #""c""#), (#"{"minimum":1}"#, "1", "0"),
        (#"{"minLength":2}"#, #""ää""#, #""ä""#), (#"{"maxLength":1}"#, #""😀""#, #""ab""#),
        (#"{"minItems":1}"#, "[1]", "[]"), (#"{"maxItems":1}"#, "[1]", "[1,2]"),
        (#"{"pattern":"^a+$"}"#, #""aa""#, #""ab""#),
        (#"{"format":"uuid"}"#, #""3f0b6c1e-8d0f-5d0a-9d3e-5b7d2f0c1a11""#, #""3f0b6c1e""#),
        (#"{"format":"uuid"}"#, "1", #""3F0B6C1E-8D0F-5D0A-9D3E-5B7D2F0C1A11""#),
        (#"{"format":"colour"}"#, "1", #""red""#), (#"{"items":{"type":"integer"}}"#, "[1,2]", #"[1,"a"]"#),
        (#"{"required":["a"]}"#, #"{"a":null}"#, #"{"b":1}"#),
        (#"{"properties":{"a":{"type":"integer"}}}"#, #"{"a":1,"b":"x"}"#, #"{"a":"x"}"#),
        (#"{"properties":{"a":true},"additionalProperties":false}"#, #"{"a":1}"#, #"{"a":1,"b":2}"#),
        (#"{"additionalProperties":{"type":"string"}}"#, #"{"a":"x"}"#, #"{"a":1}"#),
        (##"{"$defs":{"n":{"minimum":3}},"$ref":"#/$defs/n"}"##, "3", "2"),
        (##"{"$ref":"other.json#/$defs/deep"}"##, "[4]", "[5]"), ("true", "1", "no JSON"),
    ])
    func keywordsTakeAndRefuse(schema: String, good: String, bad: String) throws {
        let other = ##"{"$defs":{"deep":{"items":{"$ref":"#/$defs/four"}},"four":{"const":4}}}"##
        let validator = JSONSchema(documents: [
            "s.json": try #require(JSONValue(json: Array(schema.utf8))),
            "other.json": try #require(JSONValue(json: Array(other.utf8))),
        ])
        let fitting = try #require(JSONValue(json: Array(good.utf8)))
        #expect(validator.faults(of: fitting, against: "s.json") == [])
        guard let unfit = JSONValue(json: Array(bad.utf8)) else { return }
        #expect(!validator.faults(of: unfit, against: "s.json").isEmpty)
    }

    @Test func whatItCannotCheckIsAFault() {
        let validator = JSONSchema(documents: [
            "a.json": ["multipleOf": 2], "b.json": ["$ref": "nowhere.json"], "c.json": "x", "d.json": false,
        ])
        for name in ["a.json", "b.json", "c.json", "d.json", "e.json"] {
            #expect(!validator.faults(of: 2, against: name).isEmpty, "\(name)")
        }
    }

    @Test func strictnessFaultsWhatNobodyDescribes() {
        let documents: [String: JSONValue] = [
            "s.json": ["properties": ["a": ["properties": ["b": true]], "c": ["additionalProperties": true]]]
        ]
        let value: JSONValue = ["a": ["b": 1, "x": 2], "c": ["y": 3], "z": 4]
        #expect(JSONSchema(documents: documents).faults(of: value, against: "s.json") == [])
        let faults = JSONSchema(documents: documents, isStrict: true).faults(of: value, against: "s.json")
        #expect(faults == ["$.a.x: is not described", "$.z: is not described"])
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements) { $1 })
    }
}
