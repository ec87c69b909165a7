import Glibc

/// A charset a header may name, and the decoding of bytes in it.
///
/// UTF-8 and ASCII are decoded here, everything else by glibc's `iconv`. Only names of known charsets reach
/// `iconv_open`: a header cannot make it load anything else.
struct Charset: Sendable, Hashable {
    /// What `iconv_open` is asked for, in this order; empty for UTF-8.
    private let names: [String]

    static let utf8 = Charset(names: [])
    /// What unlabelled 8-bit text, and text labelled ASCII or Latin-1, most often is. Its C1 range is defined almost
    /// everywhere that Latin-1 has only control characters.
    static let western = Charset(names: ["WINDOWS-1252", "ISO-8859-1"])

    private init(names: [String]) { self.names = names }

    /// The charset a header means by this label (RFC 2047 names, MIME aliases and common misspellings; a language
    /// after `*`, RFC 2231 §5, is ignored), or nil when it is unknown.
    init?(label: some StringProtocol) {
        let label = label.prefix { $0 != "*" }.lowercased()
        switch label {
        case "utf-8", "utf8", "unicode-1-1-utf-8", "utf-8mb4", "cp65001": self = .utf8
        case "us-ascii", "ascii", "ansi_x3.4-1968", "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "l1", "cp1252":
            self = .western
        default:
            guard let names = Self.aliases[label] ?? Self.family(label) else { return nil }
            self.names = names
        }
    }

    /// Decodes as much as possible: what is not valid in the charset becomes U+FFFD. Nil when this system has no
    /// converter for the charset.
    func decode(_ bytes: [UInt8]) -> String? {
        if names.isEmpty { return String(decoding: bytes, as: UTF8.self) }
        if bytes.allSatisfy({ $0 < 0x80 }), self == .western { return String(decoding: bytes, as: UTF8.self) }
        var lossy: String?
        for name in names {
            guard let converter = Converter(from: name) else { continue }
            let (text, clean) = converter.convert(bytes)
            if clean { return text }
            lossy = lossy ?? text
        }
        return lossy
    }

    /// Labels that are not what iconv calls the charset, or for which a superset is what senders really use. The
    /// first that decodes without an error wins.
    private static let aliases: [String: [String]] = [
        "gb2312": ["GB18030"], "gb_2312-80": ["GB18030"], "gbk": ["GB18030"], "gb18030": ["GB18030"],
        "x-gbk": ["GB18030"], "cp936": ["GB18030"], "euc-cn": ["GB18030"], "eucgb2312_cn": ["GB18030"],
        "iso-2022-cn": ["ISO-2022-CN"],
        "big5": ["BIG5", "CP950", "BIG5-HKSCS"], "big5-hkscs": ["BIG5-HKSCS"], "cp950": ["CP950"],
        "shift_jis": ["CP932", "SJIS"], "shift-jis": ["CP932", "SJIS"], "x-sjis": ["CP932", "SJIS"],
        "sjis": ["CP932", "SJIS"], "cp932": ["CP932"], "windows-31j": ["CP932"],
        "euc-jp": ["EUC-JP", "EUC-JP-MS"], "x-euc-jp": ["EUC-JP", "EUC-JP-MS"],
        "iso-2022-jp": ["ISO-2022-JP", "ISO-2022-JP-3"], "iso-2022-jp-1": ["ISO-2022-JP-2"],
        "iso-2022-jp-2": ["ISO-2022-JP-2"], "iso-2022-jp-3": ["ISO-2022-JP-3"], "cp50220": ["ISO-2022-JP-3"],
        "euc-kr": ["CP949"], "ks_c_5601-1987": ["CP949"], "ks_c_5601": ["CP949"],
        "ksc5601": ["CP949"], "uhc": ["CP949"], "cp949": ["CP949"], "iso-2022-kr": ["ISO-2022-KR"],
        "koi8-r": ["KOI8-R"], "koi8-u": ["KOI8-U"], "koi8r": ["KOI8-R"], "koi8_r": ["KOI8-R"],
        "koi8-ru": ["KOI8-RU", "KOI8-U"],
        "tis-620": ["CP874", "TIS-620"], "windows-874": ["CP874"], "viscii": ["VISCII"],
        "macintosh": ["MACINTOSH"], "x-mac-roman": ["MACINTOSH"], "mac": ["MACINTOSH"],
        "x-mac-cyrillic": ["MAC-CYRILLIC"],
        "utf-7": ["UTF-7"], "unicode-1-1-utf-7": ["UTF-7"], "utf-16": ["UTF-16"], "utf-16le": ["UTF-16LE"],
        "utf-16be": ["UTF-16BE"], "utf-32": ["UTF-32"],
        "latin2": ["ISO-8859-2"], "latin5": ["ISO-8859-9"], "latin-9": ["ISO-8859-15"], "latin9": ["ISO-8859-15"],
        "iso-8859-8-i": ["ISO-8859-8"], "iso-8859-8-e": ["ISO-8859-8"], "iso-8859-6-i": ["ISO-8859-6"],
        "iso-8859-6-e": ["ISO-8859-6"], "armscii-8": ["ARMSCII-8"], "georgian-ps": ["GEORGIAN-PS"],
    ]

    /// The numbered families: `iso-8859-N`, `windows-125N`, `cpN`, `ibmN`, in the spellings seen in mail.
    private static func family(_ label: String) -> [String]? {
        let prefixes: [(String, canonical: String, numbers: ClosedRange<Int>)] = [
            ("iso-8859-", "ISO-8859-", 2...16), ("iso8859-", "ISO-8859-", 2...16), ("iso_8859-", "ISO-8859-", 2...16),
            ("windows-", "CP", 1250...1258), ("win-", "CP", 1250...1258), ("x-cp", "CP", 1250...1258),
            ("cp-", "CP", 437...1258), ("cp", "CP", 437...1258), ("ibm", "IBM", 437...869),
        ]
        for (prefix, canonical, numbers) in prefixes where label.hasPrefix(prefix) {
            guard let number = Int(label.dropFirst(prefix.count)), numbers.contains(number) else { continue }
            return ["\(canonical)\(number)"]
        }
        return nil
    }
}

/// One `iconv` conversion to UTF-8.
private struct Converter: ~Copyable {
    private let handle: iconv_t

    init?(from name: String) {
        // iconv_open reports failure as the pointer -1.
        guard let handle = iconv_open("UTF-8", name), Int(bitPattern: handle) != -1 else { return nil }
        self.handle = handle
    }

    deinit { iconv_close(handle) }

    /// The text, and whether every byte was valid.
    func convert(_ bytes: [UInt8]) -> (text: String, clean: Bool) {
        var input = bytes.map { CChar(bitPattern: $0) }
        var output = [UInt8]()
        var clean = true
        input.withUnsafeMutableBufferPointer { source in
            var next = source.baseAddress
            var left = source.count
            while left > 0 {
                let before = left
                let failure = step(&next, &left, appendingTo: &output)
                if failure == 0 { break }
                if failure == E2BIG, left < before { continue }
                clean = false
                output.append(contentsOf: "\u{fffd}".utf8)
                // EINVAL: a sequence cut off at the end. Otherwise one invalid byte is passed over.
                if failure == EINVAL || left <= 1 { break }
                next = next?.advanced(by: 1)
                left -= 1
            }
        }
        return (String(decoding: output, as: UTF8.self), clean)
    }

    /// Converts until the input ends, a byte is invalid or the chunk is full. Zero, or the error number.
    private func step(
        _ next: inout UnsafeMutablePointer<CChar>?, _ left: inout Int, appendingTo output: inout [UInt8]
    ) -> Int32 {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { chunk in
            var target = chunk.baseAddress
            var room = chunk.count
            let result = iconv(handle, &next, &left, &target, &room)
            let failure = result == -1 ? errno : 0
            output.append(contentsOf: chunk.prefix(chunk.count - room).lazy.map { UInt8(bitPattern: $0) })
            return failure
        }
    }
}
