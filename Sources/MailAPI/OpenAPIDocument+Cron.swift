/// `/api/cron/sync-emails`.
extension OpenAPIDocument {
    // swift-format-ignore
    static let cron = #"""
            "/api/cron/sync-emails": {
              "post": {
                "operationId": "syncOverdue",
                "summary": "Sync the accounts that are overdue longest",
                "description": "For a timer outside. Accounts are overdue when their last successful pass is longer ago than their interval. Answers within 25 seconds; what is not finished by then goes on. Calls that overlap get different accounts.",
                "security": [{"cron": []}],
                "parameters": [
                  {
                    "name": "batchSize",
                    "in": "query",
                    "description": "Accounts to sync at most; EMAIL_SYNC_BATCH_SIZE without it.",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 1000}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "What became of each account.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OverdueSync"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              },
              "get": {
                "operationId": "overdueCounts",
                "summary": "How many accounts there are, and how many are overdue",
                "security": [{"cron": []}],
                "responses": {
                  "200": {
                    "description": "Counts of now.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OverdueCounts"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },

        """#

    // swift-format-ignore
    static let cronSchemas = #"""
              "OverdueSync": {
                "type": "object",
                "required": ["success", "total", "successful", "failed", "accounts"],
                "properties": {
                  "success": {"type": "boolean", "description": "The call did what it was asked for; each account says how it went."},
                  "total": {"type": "integer", "description": "Accounts in this answer."},
                  "successful": {"type": "integer", "description": "Those that are up to date."},
                  "failed": {"type": "integer", "description": "Those whose pass failed; they are retried."},
                  "accounts": {
                    "type": "array",
                    "items": {
                      "type": "object",
                      "required": ["accountId", "user_id", "provider", "inbox_id", "status", "events", "error"],
                      "properties": {
                        "accountId": {"type": "string"},
                        "user_id": {"type": "string"},
                        "provider": {"$ref": "#/components/schemas/Provider"},
                        "inbox_id": {"$ref": "#/components/schemas/InboxID"},
                        "status": {
                          "type": "string",
                          "enum": ["synced", "failed", "running"],
                          "description": "running: not at its end yet; it goes on."
                        },
                        "events": {"type": "integer", "description": "Events that the pass added."},
                        "error": {"type": ["string", "null"], "description": "The code of the failure."}
                      }
                    }
                  }
                }
              },
              "OverdueCounts": {
                "type": "object",
                "required": ["success", "timestamp", "totalAccounts", "pendingSync", "errorAccounts", "syncInterval"],
                "properties": {
                  "success": {"type": "boolean"},
                  "timestamp": {"type": "string", "format": "date-time"},
                  "totalAccounts": {"type": "integer"},
                  "pendingSync": {"type": "integer", "description": "Accounts that are overdue; parked ones left out."},
                  "errorAccounts": {"type": "integer", "description": "Accounts whose last pass failed, and parked ones."},
                  "syncInterval": {"type": "integer", "description": "SYNC_INTERVAL in minutes, rounded up."}
                }
              },

        """#
}
