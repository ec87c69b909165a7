import Foundation
import MailModel
import Testing

@Suite struct JSONTextTests {
    private func written(_ value: String) -> String {
        var json = JSONText()
        json.string(value)
        return json.text
    }

    @Test(arguments: [
        ("", #""""#), ("a\"b\\c", #""a\"b\\c""#), ("\0", #""\u0000""#), ("\u{1f}", #""\u001f""#),
        ("\u{7f}", #""\u007f""#),
        ("\r\n\t", #""\r\n\t""#), ("\u{8}\u{c}", #""\u0008\u000c""#), ("é😀\u{2028}", "\"é😀\u{2028}\""), ("/", #""/""#),
    ])
    func textsAreEscaped(text: String, expected: String) {
        #expect(written(text) == expected)
    }

    @Test func bytesThatAreNotTextBecomeReplacementCharacters() {
        let text = String(decoding: [0x61, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80], as: UTF8.self)
        #expect(written(text).hasPrefix("\"a\u{fffd}\u{fffd}("))
    }

    @Test func structuresKeepTheOrderTheyAreWrittenIn() {
        var json = JSONText()
        json.object { json in
            json.field("z", 1)
            json.field("a", "x")
            json.field("list", ["p", "q"])
            json.field("none", [])
            json.key("nested")
            json.object { json in
                json.field("yes", true)
                json.key("nothing")
                json.null()
            }
            json.key("objects")
            json.array([1, 2]) { json, number in json.object { $0.field("n", Int64(number)) } }
            json.key("empty")
            json.object { _ in }
            json.field("last", Int64.min)
        }
        #expect(
            json.text
                == #"{"z":1,"a":"x","list":["p","q"],"none":[],"nested":{"yes":true,"nothing":null},"#
                + #""objects":[{"n":1},{"n":2}],"empty":{},"last":-9223372036854775808}"#)
    }

    @Test(arguments: [11, 12, 13] as [UInt64])
    func everyTextComesBackFromAParser(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let scalars = (0..<Int.random(in: 0...40, using: &random)).compactMap { _ in
                UnicodeScalar(UInt32.random(in: 0...0x3000, using: &random))
            }
            var text = String.UnicodeScalarView()
            text.append(contentsOf: scalars)
            var json = JSONText()
            json.array([String(text)]) { $0.string($1) }
            let parsed = try JSONDecoder().decode([String].self, from: Data(json.bytes))
            #expect(parsed.map { Array($0.utf8) } == [Array(String(text).utf8)], "seed \(seed)")
        }
    }
}
