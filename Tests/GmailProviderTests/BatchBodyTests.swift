import Foundation
import HTTPTransport
import MailTestSupport
import ProviderClient
import Testing

@testable import GmailProvider

@Suite struct BatchBodyTests {
    private func answer(_ body: String, _ type: String = "multipart/mixed; boundary=b") -> HTTPResponse {
        HTTPResponse(status: 200, headers: [("content-type", type)], body: Array(body.utf8))
    }

    private func part(_ id: String, _ status: String, _ body: String, end: String = "\r\n") -> String {
        ["--b", "Content-Type: application/http", "Content-ID: \(id)", "", "HTTP/1.1 \(status)", "X: y", "", body, ""]
            .joined(separator: end)
    }

    @Test func requestsAreNumbered() {
        let text = String(decoding: GmailBatch.request(paths: ["/a", "/b"]), as: UTF8.self)
        #expect(text.contains("Content-ID: <item-0>\r\n\r\nGET /a HTTP/1.1\r\n"))
        #expect(text.contains("Content-ID: <item-1>\r\n\r\nGET /b HTTP/1.1\r\n"))
        #expect(text.hasSuffix("--mailsync-batch-part--\r\n"))
    }

    @Test(.enabled(if: SharedMaterial.specs != nil))
    func theDocumentedAnswerIsRead() throws {
        let file = "\(SharedMaterial.specs ?? "")/gmail/samples/batch.response.txt"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let start = try #require(text.range(of: "--batch_QbKPacQz"))
        let parts = try #require(
            GmailBatch.parts(of: answer(String(text[start.lowerBound...]), "multipart/mixed; boundary=batch_QbKPacQz")))
        #expect(parts[1]?.status == 200 && parts[2]?.status == 429 && parts.count == 2)
        let message = try ProviderJSON.decode(GmailWire.Message.self, from: parts[1]?.body ?? [])
        #expect(message.id == "17ed3860b714f93e")
    }

    @Test func partsComeInAnyOrderWithAnyLineEnds() throws {
        for end in ["\r\n", "\n"] {
            let body =
                part("<response-item-1>", "404 Not Found", "{}", end: end)
                + part("response-item-0", "200 OK", "{\"a\":1}", end: end)
            let parts = try #require(GmailBatch.parts(of: answer("preamble\(end)\(body)--b--\(end)")))
            #expect(parts[0]?.status == 200 && parts[1]?.status == 404)
            let first = String(decoding: parts[0]?.body ?? [], as: UTF8.self)
            #expect(first.contains("{\"a\":1}"))
            #expect(parts[1]?.header("x") == "y")
        }
    }

    @Test func whatCannotBeMatchedIsLeftOut() throws {
        let body =
            part("<response->", "200 OK", "{}") + part("<response-item-3>", "nonsense", "{}") + "--b\r\n\r\n--b--"
        #expect(try #require(GmailBatch.parts(of: answer(body))).isEmpty)
        #expect(try #require(GmailBatch.parts(of: answer(part("<response-item-0>", "200 OK", "{\"cut")))).isEmpty)
        #expect(try #require(GmailBatch.parts(of: answer(""))).isEmpty)
    }

    @Test(arguments: ["application/json", "text/html", "multipart/mixed", "multipart/mixed; boundary=", ""])
    func whatIsNoMultipartIsNoAnswer(type: String) { #expect(GmailBatch.parts(of: answer("--b--", type)) == nil) }

    @Test func aQuotedBoundary() throws {
        let response = answer(
            part("<response-item-0>", "200 OK", "{}") + "--b--", "multipart/mixed; charset=x; Boundary=\"b\"")
        #expect(GmailBatch.parts(of: response)?[0]?.status == 200)
    }
}
