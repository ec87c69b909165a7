import Foundation
import MailHeaders
import MailTestSupport
import Testing

@Suite struct HeaderTextTests {
    @Test(arguments: [
        ("", ""), ("  plain  ", "plain"), ("kept   inside", "kept   inside"),
        ("=?utf-8?q?caf=c3=a9?=", "café"), ("=?UTF-8?B?Y2Fmw6k?=", "café"), ("x=?utf-8?q?caf=c3=a9?=y", "xcaféy"),
        ("a =?utf-8?q?b?= c", "a b c"), ("=?utf-8?q?a?= \t =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?==?utf-8?q?b?=", "ab"), ("=?utf-8?q?a?= =?koi8-r?q?=C2?=", "aб"),
        ("=?utf-8*en?q?a?=", "a"), ("=?utf-8?q??=", ""), ("=?utf-8?q?two words?=", "two words"),
        ("=?utf-8?q?=zz=4?=", "=zz=4"), ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="), ("=?utf-8?q?open", "=?utf-8?q?open"),
        ("=?nonsense?q?abc?=", "=?nonsense?q?abc?="), ("=?../../x?q?abc?=", "=?../../x?q?abc?="), ("=?", "=?"),
        ("=?=?utf-8?q?a?=", "=?a"), ("folded\r\n over\n\tlines", "folded over\tlines"),
        ("=?utf-8?q?a=0D=0Ab=00c?=", "a  b\u{fffd}c"), ("nul\0here", "nul\u{fffd}here"),
        ("=?utf-8?q?=FFx?=", "\u{fffd}x"), ("\"=?utf-8?q?in_quotes?=\"", "\"in quotes\""),
    ])
    func decodes(raw: String, text: String) { #expect(HeaderText.decode(raw) == text) }

    @Test(
        arguments: [
            ("iso-8859-1", [0xe9], "é"), ("ISO-8859-15", [0xa4], "€"), ("windows-1251", [0xcf, 0xf0], "Пр"),
            ("iso-8859-1", [0x93, 0x94], "“”"), ("us-ascii", [0xe9], "é"), ("koi8-r", [0xf0, 0xd2], "Пр"),
            ("koi8-u", [0xa4], "є"), ("shift_jis", [0x93, 0xfa, 0x96, 0x7b], "日本"),
            ("euc-jp", [0xc6, 0xfc, 0xcb, 0xdc], "日本"), ("big5", [0xa4, 0xa4], "中"), ("gb2312", [0xd6, 0xd0], "中"),
            ("gbk", [0x81, 0x40], "丂"), ("gb18030", [0x94, 0x39, 0xfc, 0x36], "😀"), ("euc-kr", [0xc7, 0xd1], "한"),
            ("ks_c_5601-1987", [0xc7, 0xd1], "한"), ("ks_c_5601-1987", [0x81, 0x41], "갂"), ("cp850", [0x82], "é"),
            ("ISO-2022-JP", Array("\u{1b}$BF|K\\\u{1b}(B".utf8), "日本"), ("utf-7", Array("+AOk-".utf8), "é"),
            ("windows-1256", [0xc7], "ا"), ("iso-8859-8-i", [0xe0], "א"), ("windows-874", [0xa1], "ก"),
        ] as [(String, [UInt8], String)])
    func knowsTheCharset(label: String, bytes: [UInt8], text: String) {
        let word = "=?\(label)?B?\(Data(bytes).base64EncodedString())?="
        #expect(HeaderText.decode(word) == text)
    }

    @Test func joinsWordsSplitInsideACharacter() {
        #expect(HeaderText.decode("=?UTF-8?B?5pel5pys6Ko=?=\r\n =?utf-8?B?nuODhuOCueODiA==?=") == "日本語テスト")
        #expect(HeaderText.decode("=?gb2312?Q?=D6?= =?gb2312?Q?=D0?=") == "中")
    }

    @Test func aBrokenMultibyteTailCostsOnlyItself() {
        #expect(HeaderText.decode("=?shift_jis?Q?ab=93?=") == "ab\u{fffd}")
        #expect(HeaderText.decode("=?euc-jp?Q?a=FFb?=") == "a\u{fffd}b")
    }

    @Test func rawBytesAreUTF8OrElseWestern() {
        #expect(HeaderText.decode(raw: Array("Grüße 日本".utf8)) == "Grüße 日本")
        #expect(HeaderText.decode(raw: [0x47, 0x72, 0xfc, 0xdf, 0x65]) == "Grüße")
        #expect(HeaderText.decode(raw: [0x81, 0x8d]) == "\u{81}\u{8d}")
    }

    @Test func longHeadersAreDecodedWhole() {
        let words = String(repeating: "=?utf-8?q?x?= ", count: 5000)
        #expect(HeaderText.decode(words) == String(repeating: "x", count: 5000))
        let openings = String(repeating: "=?utf-8?q?<", count: 6000)
        #expect(HeaderText.decode(openings + "?=").count == openings.count - 11 + 1)
        #expect(AddressList.parse(openings + "?=").count <= 6000)
    }

    @Test(.enabled(if: SharedMaterial.specs != nil))
    func publishedVectors() throws {
        struct Vectors: Decodable {
            struct Word: Decodable {
                var raw: String
                var decoded: String
            }
            var encoded_words: [Word]
        }
        let file = URL(filePath: "\(SharedMaterial.specs ?? "")/imap/vectors.json")
        let vectors = try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file)).encoded_words
        #expect(vectors.count > 10)
        for vector in vectors { #expect(HeaderText.decode(vector.raw) == vector.decoded) }
    }
}
