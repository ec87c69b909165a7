import MailModel
import ProviderClient
import Testing

@testable import OutlookProvider

/// What is made of a page, without anything around it.
@Suite struct PageTests {
    private static let place = FolderTree.Place(folder: "F", label: "INBOX", isInScope: true)
    private static let light =
        "\"isRead\":true,\"isDraft\":false,\"importance\":\"normal\",\"flag\":{\"flagStatus\":\"notFlagged\"},"
        + "\"categories\":[],\"receivedDateTime\":\"2026-01-02T03:04:05Z\""
    private static let full = light + ",\"subject\":\"x\",\"toRecipients\":[]"

    private func plan(
        _ entries: String, stored: [String] = [], gone: [String] = [], gaps: [String] = [],
        at place: FolderTree.Place = place
    ) throws -> OutlookPage.Plan {
        let page = try ProviderJSON.decode(OutlookAPI.MessagePage.self, from: Array("{\"value\":[\(entries)]}".utf8))
        let listed = OutlookPage(page.items, of: place)
        let states = (stored + gone).map { id in
            (id, MessageState(id: id, labels: ["INBOX"], version: 1, exists: stored.contains(id), folder: "F"))
        }
        let unknown = Set(listed.ids).subtracting(stored + gone + gaps)
        return listed.plan(
            states: Dictionary(uniqueKeysWithValues: states), unknown: unknown, tree: FolderTree(),
            normalizer: OutlookNormalizer(headers: .all, since: nil), version: 9)
    }

    private func labels(_ id: String, _ labels: [String] = ["INBOX"]) -> MessageChange {
        .labels(id: id, labels: labels, version: 9, folder: "F")
    }

    @Test func contentOfStoredMessages() throws {
        #expect(try plan("{\"id\":\"a\",\(Self.light)}", stored: ["a"]) == .init(changes: [labels("a")]))
        #expect(try plan("{\"id\":\"a\",\"isRead\":true}", stored: ["a"]) == .init(toRead: ["a"]))
        #expect(try plan("{\"id\":\"a\",\(Self.full)}", gone: ["a"]) == .init(toRead: ["a"]))
        #expect(try plan("{\"id\":\"a\",\"subject\":7}", stored: ["a"]) == .init(toRead: ["a"]))
    }

    @Test func contentOfOtherMessages() throws {
        #expect(try plan("{\"id\":\"a\",\(Self.light)}") == .init(toRead: ["a"]))
        #expect(try plan("{\"id\":\"a\",\(Self.light)}", gaps: ["a"]) == .init())
        guard case .read(let meta, inScope: true)? = try plan("{\"id\":\"a\",\(Self.full)}").changes.first else {
            Issue.record("not read")
            return
        }
        #expect(meta.id == "a" && meta.version == 9)
        #expect(try plan("{\"id\":\"a\",\(Self.full)}", gaps: ["a"]).changes.count == 1)
        let trash = FolderTree.Place(folder: "T", label: "TRASH", isInScope: false)
        #expect(try plan("{\"id\":\"a\",\(Self.light)}", at: trash) == .init())
        let draft = Self.light.replacing("\"isDraft\":false", with: "\"isDraft\":true")
        #expect(try plan("{\"id\":\"a\",\(draft)}") == .init())
        // Complete but undated: another look tells.
        let undated = Self.full.replacing("2026-01-02T03:04:05Z", with: "never")
        #expect(try plan("{\"id\":\"a\",\(undated)}") == .init(toRead: ["a"]))
        #expect(try plan("{\"id\":\"a\",\(undated)}", gaps: ["a"]) == .init())
    }

    @Test func removals() throws {
        let removed = "{\"id\":\"a\",\"@removed\":{\"reason\":\"deleted\"}}"
        let content = "{\"id\":\"a\",\(Self.full)}"
        let gone = OutlookPage.Plan(changes: [.removed(id: "a", fromFolder: "F")])
        #expect(try plan(removed, stored: ["a"]) == gone)
        #expect(try plan("\(removed),\(content)", stored: ["a"]) == gone)
        #expect(try plan("\(content),\(removed),\(removed)", stored: ["a"]) == gone)
        #expect(try plan(removed, gone: ["a"]) == .init() && plan(removed, gaps: ["a"]) == .init())
        // Came and went, or went and came: the message itself tells.
        for page in [removed, "\(content),\(removed)", "\(removed),\(content)"] {
            #expect(try plan(page) == .init(toRead: ["a"], removed: ["a"]))
            let trash = FolderTree.Place(folder: "T", label: "TRASH", isInScope: false)
            #expect(try plan(page, at: trash) == .init())
        }
    }

    @Test func theLastMentionCounts() throws {
        let unread = Self.light.replacing("\"isRead\":true", with: "\"isRead\":false")
        let page = "{\"id\":\"a\",\(unread)},{\"id\":\"b\",\(Self.light)},{\"id\":\"a\",\(Self.light)}"
        #expect(try plan(page, stored: ["a", "b"]).changes == [labels("a"), labels("b")])
        // Ids differ by case.
        let cased = "{\"id\":\"a\",\(unread)},{\"id\":\"A\",\(Self.light)}"
        #expect(try plan(cased, stored: ["a", "A"]).changes == [labels("a", ["INBOX", "UNREAD"]), labels("A")])
    }
}
