import Logging

/// `LOG_LEVEL` and `LOG_FORMAT`.
struct LogSettings: Sendable {
    var level: Logger.Level
    var json: Bool

    static func read(_ read: inout SettingReader) -> LogSettings {
        let levels = Logger.Level.allCases.map(\.rawValue)
        let level = read.choice("LOG_LEVEL", default: "info", of: levels)
        let format = read.choice("LOG_FORMAT", default: "text", of: ["text", "json"])
        return LogSettings(level: Logger.Level(rawValue: level) ?? .info, json: format == "json")
    }

    /// The logger everything derives from; writes to standard error.
    func logger(_ label: String = "mailsync") -> Logger {
        var logger = Logger(label: label) { label in
            if json { return JSONLogHandler(label: label) }
            return StreamLogHandler.standardError(label: label)
        }
        logger.logLevel = level
        return logger
    }
}
