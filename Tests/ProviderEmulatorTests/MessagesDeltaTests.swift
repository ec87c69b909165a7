import Foundation
import HTTPTransport
import ProviderEmulator
import Testing

@Suite struct MessagesDeltaTests {
    private let address = GraphFixture.address

    @Test func aFirstRoundTellsAllThenOnlyChanges() async throws {
        try await GraphFixture.run { fixture in
            let ids = try (0..<25).map { try fixture.deliver("m\($0)") }
            let first = try await fixture.messagesRound("inbox")
            #expect(first.pages == [10, 10, 5])
            #expect(Set(first.entries.present) == Set(ids))
            #expect(try await fixture.round(first.deltaLink).entries.isEmpty)
            try fixture.microsoft.setRead(ids[3], true, in: address)
            let new = try fixture.deliver("new")
            let second = try await fixture.round(first.deltaLink)
            #expect(Set(second.entries.present) == [ids[3], new])
            #expect(second.entries.allSatisfy { $0["subject"] != nil && $0["isRead"] != nil && $0["body"] == nil })
            // A link can be used again.
            #expect(try await Set(fixture.round(first.deltaLink).entries.ids) == [ids[3], new])
        }
    }

    @Test func pageSizesFollowThePreferenceUpToTheCap() async throws {
        try await GraphFixture.run {
            $0.microsoft.deltaPageMax = 20
        } _: { fixture in
            for index in 0..<45 { try fixture.deliver("m\(index)") }
            let path = "/me/mailFolders/inbox/messages/delta?$select=id"
            let wish = { (size: Int) in [GraphFixture.immutable, "odata.maxpagesize=\(size)"] }
            #expect(try await fixture.round(path, prefer: wish(15)).pages == [15, 15, 15])
            #expect(try await fixture.round(path, prefer: wish(100)).pages == [20, 20, 5])
            let response = try await fixture.get(path, prefer: ["IdType=\"ImmutableId\", odata.maxpagesize=3"])
            #expect(response.header("preference-applied") == "IdType=\"ImmutableId\", odata.maxpagesize=3")
        }
    }

    @Test func topIsTheTotalOfTheRound() async throws {
        try await GraphFixture.run { fixture in
            for index in 0..<30 { try fixture.deliver("m\(index)") }
            let round = try await fixture.messagesRound("inbox", "$top=13")
            #expect(round.pages == [10, 3])
            #expect(try await fixture.round(round.deltaLink).entries.isEmpty)
        }
    }

    @Test func newestFirstWhenAsked() async throws {
        try await GraphFixture.run { fixture in
            var ids: [String] = []
            for day in 1...12 { ids.append(try fixture.deliver("d\(day)", extra: Self.date(day))) }
            let newest = try await fixture.messagesRound("inbox", "$select=id&$orderby=receivedDateTime+desc")
            #expect(newest.entries.ids == ids.reversed())
            for id in ids { try fixture.microsoft.setRead(id, true, in: address) }
            #expect(try await fixture.round(newest.deltaLink).entries.ids == ids.reversed())
            let recent = try await fixture.messagesRound(
                "inbox", "$filter=receivedDateTime+ge+2025-03-09T00:00:00Z&$select=id")
            #expect(Set(recent.entries.ids) == Set(ids.suffix(4)))
        }
    }

    private static func date(_ day: Int) -> String { "Date: \(day) Mar 2025 10:00:00 +0000\r\n" }

    @Test func aMoveIsARemovalAndACreationInSeparateRounds() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            let inbox = try await fixture.messagesRound("inbox")
            let archive = try await fixture.messagesRound("archive")
            try fixture.microsoft.move(id, to: "archive", in: address)
            let left = try await fixture.round(inbox.deltaLink)
            #expect(left.entries.removed == [id] && left.entries.present.isEmpty)
            let entry = try #require(left.entries.first)
            #expect(entry["@odata.type"] as? String == "#microsoft.graph.message")
            #expect((entry["@removed"] as? [String: String])?["reason"] == "deleted")
            let came = try await fixture.round(archive.deltaLink)
            #expect(came.entries.present == [id] && came.entries.removed.isEmpty)
            #expect(try await fixture.round(left.deltaLink).entries.isEmpty)
        }
    }

    @Test func awayAndBackBetweenRoundsIsToldAsRemovedOnly() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            let inbox = try await fixture.messagesRound("inbox")
            let archive = try await fixture.messagesRound("archive")
            try fixture.microsoft.move(id, to: "archive", in: address)
            try fixture.microsoft.move(id, to: "inbox", in: address)
            let round = try await fixture.round(inbox.deltaLink)
            #expect(round.entries.removed == [id] && round.entries.present.isEmpty)
            #expect(try await fixture.round(round.deltaLink).entries.isEmpty)
            #expect(try await fixture.round(archive.deltaLink).entries.isEmpty)
            let message = try await fixture.object("/me/messages/\(id)?$select=parentFolderId")
            let folder = try await fixture.object("/me/mailFolders/inbox?$select=id")
            #expect(message["parentFolderId"] as? String == folder["id"] as? String)
        }
    }

    @Test func mutableIDsChangeWithEveryMove() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            let path = "/me/mailFolders/inbox/messages/delta?$select=subject"
            let first = try await fixture.round(path, prefer: [])
            let old = try #require(first.entries.present.first)
            #expect(old != id)
            try fixture.microsoft.move(id, to: "archive", in: address)
            try fixture.microsoft.move(id, to: "inbox", in: address)
            let second = try await fixture.round(first.deltaLink, prefer: [])
            #expect(second.entries.removed == [old])
            let new = try #require(second.entries.present.first)
            #expect(new != old && new != id)
            #expect(try await fixture.get("/me/messages/\(old)").code == "ErrorItemNotFound")
            #expect(try await fixture.object("/me/messages/\(new)")["id"] as? String == id)
        }
    }

    @Test func changesDuringARoundAreToldInTheNextAtTheLatest() async throws {
        try await GraphFixture.run { fixture in
            let ids = try (0..<15).map { try fixture.deliver("m\($0)") }
            let page = try await fixture.object("/me/mailFolders/inbox/messages/delta?$select=isRead")
            try fixture.microsoft.delete(ids[14], in: address)
            try fixture.microsoft.delete(ids[0], in: address)
            let late = try fixture.deliver("late")
            try fixture.microsoft.setRead(ids[13], true, in: address)
            let rest = try await fixture.round(try #require(page["@odata.nextLink"] as? String))
            #expect(!rest.entries.ids.contains(late))
            let next = try await fixture.round(rest.deltaLink)
            #expect(Set(next.entries.removed) == [ids[0], ids[14]])
            #expect(Set(next.entries.present) == [ids[13], late])
        }
    }

    @Test func heldFoldersTellLater() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            let inbox = try await fixture.messagesRound("inbox")
            let archive = try await fixture.messagesRound("archive")
            try fixture.microsoft.holdDelta(of: address, folder: "archive")
            try fixture.microsoft.move(id, to: "archive", in: address)
            #expect(try await fixture.round(inbox.deltaLink).entries.removed == [id])
            let quiet = try await fixture.round(archive.deltaLink)
            #expect(quiet.entries.isEmpty)
            try fixture.microsoft.releaseDelta(of: address, folder: "archive")
            #expect(try await fixture.round(quiet.deltaLink).entries.present == [id])
        }
    }

    @Test func expiredLinksAreGoneAlsoInMidRound() async throws {
        try await GraphFixture.run { fixture in
            for index in 0..<15 { try fixture.deliver("m\(index)") }
            let round = try await fixture.messagesRound("inbox")
            let other = try await fixture.messagesRound("archive")
            let page = try await fixture.object("/me/mailFolders/inbox/messages/delta")
            let next = try #require(page["@odata.nextLink"] as? String)
            try fixture.microsoft.expireDelta(of: address, folder: "inbox")
            for link in [round.deltaLink, next] {
                let response = try await fixture.get(link)
                #expect(response.status == 410 && response.code == "SyncStateNotFound")
            }
            #expect(try await fixture.get(other.deltaLink).status == 200)
            let again = try await fixture.messagesRound("inbox")
            #expect(again.entries.count == 15)
            #expect(try await fixture.get(again.deltaLink).status == 200)
            try fixture.microsoft.expireDelta(of: address)
            #expect(try await fixture.get(other.deltaLink).status == 410)
        }
    }

    @Test func linksAreOpaqueAndMayNotBeChanged() async throws {
        try await GraphFixture.run { fixture in
            let round = try await fixture.messagesRound("inbox")
            #expect(try await fixture.get(round.deltaLink + "&$top=5").status == 400)
            #expect(try await fixture.get(round.deltaLink + "x").code == "ErrorInvalidSyncStateData")
            let archive = round.deltaLink.replacing(/mailFolders\('[^']*'\)/, with: "mailFolders/archive")
            #expect(try await fixture.get(archive).code == "ErrorInvalidSyncStateData")
            #expect(try await fixture.get("/me/messages/delta").code == "BadRequest")
            #expect(try await fixture.get("/me/mailFolders/inbox/messages/delta?$search=x").status == 400)
            #expect(try await fixture.get("/me/mailFolders/inbox/messages/delta?$select=nonsense").status == 400)
        }
    }

    @Test(arguments: ["created", "updated", "deleted"]) func oneTypeOfChange(_ type: String) async throws {
        try await GraphFixture.run { fixture in
            let (kept, gone) = (try fixture.deliver("kept"), try fixture.deliver("gone"))
            let first = try await fixture.messagesRound("inbox", "changeType=\(type)&$select=id")
            try fixture.microsoft.setRead(kept, true, in: address)
            try fixture.microsoft.delete(gone, in: address)
            let new = try fixture.deliver("new")
            let entries = try await fixture.round(first.deltaLink).entries
            #expect(entries.ids == [["created": new, "updated": kept, "deleted": gone][type]])
        }
    }
}
