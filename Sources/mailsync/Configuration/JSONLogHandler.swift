import Foundation
import Logging
import MailModel

/// One JSON object per line on standard error.
struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var json = JSONText()
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        json.object { json in
            json.field(
                "time",
                Date(timeIntervalSince1970: TimeInterval(SystemTime().nowMilliseconds()) / 1000).formatted(.iso8601))
            json.field("level", event.level.rawValue)
            json.field("logger", label)
            json.field("message", "\(event.message)")
            for (key, value) in all.sorted(by: { $0.key < $1.key }) { json.field(key, "\(value)") }
        }
        FileHandle.standardError.write(Data(json.bytes + [UInt8(ascii: "\n")]))
    }
}
