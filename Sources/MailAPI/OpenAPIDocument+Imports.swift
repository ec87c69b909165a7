/// `/api/import/*`.
extension OpenAPIDocument {
    // swift-format-ignore
    static let imports = #"""
            "/api/import/start": {
              "post": {
                "operationId": "startImport",
                "summary": "Bring in a chosen part of a mailbox, or only count it",
                "description": "For mail older than the account's since, or to have a range before the backfill gets there. Everything goes through the account's own passes: nothing comes twice. With dry_run nothing is stored, and the answer is 200.",
                "security": [{"user": []}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/StartImport"},
                      "example": {"accountId": "u:primary:GOOGLE", "from": "2015-01-01", "until": "2020-01-01", "labels": ["INBOX"]}
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "What there is; nothing was stored.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ImportCounted"}}}
                  },
                  "202": {
                    "description": "The import was begun.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ImportStarted"}}}
                  },
                  "409": {
                    "description": "The account has 5 imports, or the user 20, that are not finished.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "415": {"$ref": "#/components/responses/WrongMediaType"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/api/import/status": {
              "get": {
                "operationId": "importStatus",
                "summary": "How far the user's imports are",
                "security": [{"user": []}],
                "parameters": [
                  {"name": "importId", "in": "query", "required": false, "schema": {"type": "string"}, "description": "Only this one."}
                ],
                "responses": {
                  "200": {
                    "description": "The newest first. Finished ones are remembered up to 100.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Imports"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/api/import/pause": {
              "post": {
                "operationId": "pauseImport",
                "summary": "Pause an import",
                "description": "Nothing is fetched for it until it is resumed, however long that is.",
                "security": [{"user": []}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/ImportCommand"},
                      "example": {"importId": "6f1c1f0e-6d0f-4a55-9c39-1f7f6e0b6a11"}
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "The import as it is now.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ImportChanged"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "415": {"$ref": "#/components/responses/WrongMediaType"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/api/import/resume": {
              "post": {
                "operationId": "resumeImport",
                "summary": "Resume a paused import",
                "description": "It goes on where it was; what is stored already is not read again.",
                "security": [{"user": []}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/ImportCommand"},
                      "example": {"importId": "6f1c1f0e-6d0f-4a55-9c39-1f7f6e0b6a11"}
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "The import as it is now.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ImportChanged"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "415": {"$ref": "#/components/responses/WrongMediaType"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/api/import/cancel": {
              "post": {
                "operationId": "cancelImport",
                "summary": "Cancel an import",
                "description": "What it brought in stays.",
                "security": [{"user": []}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/ImportCommand"},
                      "example": {"importId": "6f1c1f0e-6d0f-4a55-9c39-1f7f6e0b6a11"}
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "The import as it is now.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ImportChanged"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "415": {"$ref": "#/components/responses/WrongMediaType"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },

        """#

    // swift-format-ignore
    static let importSchemas = #"""
              "StartImport": {
                "type": "object",
                "required": ["accountId"],
                "properties": {
                  "accountId": {"type": "string", "description": "user:inbox:PROVIDER, as running_syncs of GET /mail/status shows."},
                  "from": {"type": "string", "description": "A date such as 2015-01-01 or 2015-01-01T00:00:00Z: only messages dated at or after it."},
                  "until": {"type": "string", "description": "Only messages dated before this."},
                  "lastDays": {"type": "integer", "minimum": 1, "maximum": 36500, "description": "Instead of from: so many days back from now."},
                  "labels": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 255}, "description": "Labels or folders, by id or name; without them everything that is received."},
                  "folders": {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 255}, "description": "The same as labels."},
                  "dry_run": {"type": "boolean", "default": false, "description": "Only count, for 10 seconds at most."}
                }
              },
              "ImportCommand": {
                "type": "object",
                "required": ["importId"],
                "properties": {"importId": {"type": "string"}}
              },
              "ImportScan": {
                "type": "object",
                "required": ["complete", "messages", "stored", "labels", "estimatedSeconds", "missingScopes", "error"],
                "properties": {
                  "complete": {"type": "boolean", "description": "Everything was counted; otherwise these are the counts so far."},
                  "messages": {"type": "integer", "description": "Messages counted; one under two of the labels counts twice."},
                  "stored": {"type": "integer", "description": "Those of them that are stored already."},
                  "labels": {
                    "type": "array",
                    "items": {
                      "type": "object",
                      "required": ["name", "messages"],
                      "properties": {"name": {"type": "string"}, "messages": {"type": "integer"}}
                    },
                    "description": "Per label or folder; empty when none was named at a provider without folders."
                  },
                  "estimatedSeconds": {"type": ["integer", "null"], "description": "What the provider's quota makes of those that are not stored."},
                  "missingScopes": {"type": "array", "items": {"type": "string"}, "description": "What the user has to grant first."},
                  "error": {"type": ["string", "null"], "description": "Why counting ended early."}
                }
              },
              "ImportCounted": {
                "type": "object",
                "required": ["success", "dry_run", "scan"],
                "properties": {
                  "success": {"type": "boolean"},
                  "dry_run": {"type": "boolean"},
                  "scan": {"$ref": "#/components/schemas/ImportScan"}
                }
              },
              "ImportStarted": {
                "type": "object",
                "required": ["success", "importId", "scan"],
                "properties": {
                  "success": {"type": "boolean"},
                  "importId": {"type": "string"},
                  "jobId": {"type": "string", "description": "The job that shows it."},
                  "scan": {"$ref": "#/components/schemas/ImportScan"}
                }
              },
              "Import": {
                "type": "object",
                "required": ["importId", "accountId", "state", "estimated", "listed", "done", "known", "failed"],
                "properties": {
                  "importId": {"type": "string"},
                  "accountId": {"type": "string"},
                  "state": {"enum": ["scanning", "running", "paused", "completed", "failed", "cancelled"]},
                  "from": {"type": ["integer", "null"], "description": "Unix seconds, as all times here."},
                  "until": {"type": ["integer", "null"]},
                  "labels": {"type": "array", "items": {"type": "string"}},
                  "estimated": {"type": "integer", "description": "Messages that were counted: what listed goes up to."},
                  "estimatedStored": {"type": "integer", "description": "Those of them that were stored already."},
                  "listed": {"type": "integer", "description": "Messages accounted for so far."},
                  "done": {"type": "integer", "description": "Those that the import stored."},
                  "known": {"type": "integer", "description": "Those that were stored already."},
                  "failed": {"type": "integer", "description": "Those that cannot be read yet; they are tried again."},
                  "messagesPerMinute": {"type": ["integer", "null"], "description": "Over the last half minute or so."},
                  "etaSeconds": {"type": ["integer", "null"], "description": "Until everything is read, at this rate."},
                  "secondsActive": {"type": "integer", "description": "How long it was worked on."},
                  "createdAt": {"type": "integer"},
                  "startedAt": {"type": ["integer", "null"]},
                  "updatedAt": {"type": "integer"},
                  "finishedAt": {"type": ["integer", "null"]},
                  "error": {"type": ["string", "null"], "description": "Why it failed."},
                  "errorCode": {"type": ["string", "null"]}
                }
              },
              "ImportChanged": {
                "type": "object",
                "required": ["success", "import"],
                "properties": {"success": {"type": "boolean"}, "import": {"$ref": "#/components/schemas/Import"}}
              },
              "Imports": {
                "type": "object",
                "required": ["success", "imports"],
                "properties": {
                  "success": {"type": "boolean"},
                  "imports": {"type": "array", "items": {"$ref": "#/components/schemas/Import"}}
                }
              },

        """#
}
