/// `/api/email/sync` and `/api/sync/*`.
extension OpenAPIDocument {
    // swift-format-ignore
    static let jobs = #"""
            "/api/email/sync": {
              "post": {
                "operationId": "queueSync",
                "summary": "Queue a sync of the user's mail",
                "description": "Puts an incremental sync of one account, or of all, into the queue and answers at once. While an equal one waits, its id is the answer.",
                "security": [{"user": []}],
                "requestBody": {
                  "required": false,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/EmailSync"},
                      "example": {"accountId": "u:primary:GOOGLE"}
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "It is in the queue.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/QueuedSync"}}}
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
              },
              "get": {
                "operationId": "queueStats",
                "summary": "The user's jobs by state",
                "security": [{"user": []}],
                "responses": {
                  "200": {
                    "description": "Counts of unfinished jobs, and of finished ones that are kept.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/QueueStats"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },
            "/api/sync/jobs": {
              "get": {
                "operationId": "jobs",
                "summary": "The user's jobs, newest first",
                "security": [{"user": []}],
                "parameters": [
                  {
                    "name": "state",
                    "in": "query",
                    "description": "Only jobs in this state.",
                    "schema": {"$ref": "#/components/schemas/JobState"}
                  },
                  {
                    "name": "limit",
                    "in": "query",
                    "description": "Jobs in the answer at most.",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "The jobs.",
                    "content": {
                      "application/json": {
                        "schema": {
                          "type": "object",
                          "required": ["success", "jobs"],
                          "properties": {
                            "success": {"type": "boolean"},
                            "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}}
                          }
                        }
                      }
                    }
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              },
              "post": {
                "operationId": "queueJob",
                "summary": "Queue a job of another kind",
                "security": [{"user": []}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/NewJob"},
                      "example": {"type": "full_sync", "accountId": "u:primary:GOOGLE"}
                    }
                  }
                },
                "responses": {
                  "202": {
                    "description": "It is in the queue.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/QueuedJob"}}}
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
            "/api/sync/jobs/{id}": {
              "get": {
                "operationId": "job",
                "summary": "One of the user's jobs",
                "security": [{"user": []}],
                "parameters": [
                  {
                    "name": "id",
                    "in": "path",
                    "required": true,
                    "description": "The jobId that queueing it answered.",
                    "schema": {"$ref": "#/components/schemas/JobID"},
                    "example": "0f8fad5b-d9cb-469f-a165-70867728950e"
                  }
                ],
                "responses": {
                  "200": {
                    "description": "The job.",
                    "content": {
                      "application/json": {
                        "schema": {
                          "type": "object",
                          "required": ["success", "job"],
                          "properties": {"success": {"type": "boolean"}, "job": {"$ref": "#/components/schemas/Job"}}
                        }
                      }
                    }
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
            "/api/sync/cancel": {
              "post": {
                "operationId": "cancelJob",
                "summary": "End one of the user's jobs",
                "description": "One that waits is cancelled at once. One that runs is told to end: 202, and its state becomes cancelled when it has; what it stored stays.",
                "security": [{"user": []}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/CancelJob"},
                      "example": {"jobId": "7c9e6679-7425-40de-944b-e07fc1f90ae7"}
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "It is cancelled.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CancelledJob"}}}
                  },
                  "202": {
                    "description": "It is being cancelled.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CancelledJob"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "409": {
                    "description": "The job is over.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
                  },
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
    static let jobSchemas = #"""
              "JobID": {"type": "string", "format": "uuid"},
              "JobState": {
                "type": "string",
                "enum": ["waiting", "active", "delayed", "completed", "failed", "cancelled"],
                "description": "delayed: tried again at nextAttemptAt, or set aside when that is null. failed: not tried again unless an operator says so."
              },
              "JobCounts": {
                "type": "object",
                "required": ["waiting", "active", "delayed", "completed", "failed", "cancelled"],
                "properties": {
                  "waiting": {"type": "integer"},
                  "active": {"type": "integer"},
                  "delayed": {"type": "integer"},
                  "completed": {"type": "integer"},
                  "failed": {"type": "integer"},
                  "cancelled": {"type": "integer"}
                }
              },
              "EmailSync": {
                "type": "object",
                "properties": {
                  "accountId": {
                    "type": ["string", "null"],
                    "description": "user:inbox:PROVIDER, as running_syncs of GET /mail/status shows it. All of the user's accounts without it."
                  }
                }
              },
              "QueuedSync": {
                "type": "object",
                "required": ["success", "jobId", "message", "queueStats"],
                "properties": {
                  "success": {"type": "boolean"},
                  "jobId": {"$ref": "#/components/schemas/JobID"},
                  "message": {"type": "string"},
                  "queueStats": {
                    "type": "object",
                    "required": ["waiting", "active", "completed", "failed"],
                    "properties": {
                      "waiting": {"type": "integer"},
                      "active": {"type": "integer"},
                      "completed": {"type": "integer"},
                      "failed": {"type": "integer"}
                    }
                  }
                }
              },
              "QueueStats": {
                "type": "object",
                "required": ["success", "queueStats"],
                "properties": {
                  "success": {"type": "boolean"},
                  "queueStats": {
                    "type": "object",
                    "required": ["waiting", "active", "completed", "failed", "delayed", "total"],
                    "properties": {
                      "waiting": {"type": "integer"},
                      "active": {"type": "integer"},
                      "completed": {"type": "integer"},
                      "failed": {"type": "integer"},
                      "delayed": {"type": "integer"},
                      "total": {"type": "integer"}
                    }
                  }
                }
              },
              "NewJob": {
                "type": "object",
                "required": ["type"],
                "properties": {
                  "type": {
                    "type": "string",
                    "enum": ["full_sync", "incremental_sync", "folder_sync", "verify"],
                    "description": "full_sync compares mailbox and store as well, and emits what was missing. Imports have operations of their own."
                  },
                  "accountId": {
                    "type": ["string", "null"],
                    "description": "user:inbox:PROVIDER, as running_syncs of GET /mail/status shows it. All of the user's accounts without it; needed for folder_sync."
                  },
                  "folder": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "description": "For folder_sync: a label or folder, by id or name."
                  },
                  "repair": {"type": "boolean", "default": false, "description": "For verify: heal what can be healed."}
                }
              },
              "QueuedJob": {
                "type": "object",
                "required": ["success", "jobId", "message"],
                "properties": {
                  "success": {"type": "boolean"},
                  "jobId": {"$ref": "#/components/schemas/JobID"},
                  "message": {"type": "string"}
                }
              },
              "CancelJob": {
                "type": "object",
                "required": ["jobId"],
                "properties": {"jobId": {"$ref": "#/components/schemas/JobID"}}
              },
              "CancelledJob": {
                "type": "object",
                "required": ["success", "jobId", "state", "message"],
                "properties": {
                  "success": {"type": "boolean"},
                  "jobId": {"$ref": "#/components/schemas/JobID"},
                  "state": {"$ref": "#/components/schemas/JobState"},
                  "message": {"type": "string"}
                }
              },
              "Job": {
                "type": "object",
                "required": [
                  "jobId",
                  "type",
                  "state",
                  "accountId",
                  "priority",
                  "parameters",
                  "attempts",
                  "progress",
                  "result",
                  "error",
                  "createdAt",
                  "startedAt",
                  "finishedAt",
                  "nextAttemptAt"
                ],
                "properties": {
                  "jobId": {"$ref": "#/components/schemas/JobID"},
                  "type": {
                    "type": "string",
                    "enum": ["full_sync", "incremental_sync", "folder_sync", "import", "verify", "cleanup"]
                  },
                  "state": {"$ref": "#/components/schemas/JobState"},
                  "accountId": {
                    "type": ["string", "null"],
                    "description": "user:inbox:PROVIDER, as running_syncs of GET /mail/status shows it. null: all of the user's."
                  },
                  "priority": {"type": "string", "enum": ["manual", "scheduled"]},
                  "parameters": {"type": "object", "description": "What was asked for, by kind."},
                  "attempts": {"type": "integer", "description": "Attempts that count; after 3 failed ones the job is failed."},
                  "progress": {
                    "type": ["object", "null"],
                    "required": ["done", "total", "text"],
                    "properties": {
                      "done": {"type": ["integer", "null"]},
                      "total": {"type": ["integer", "null"]},
                      "text": {"type": ["string", "null"]}
                    }
                  },
                  "result": {
                    "type": ["object", "null"],
                    "description": "What came of it, by kind; null unless it is completed."
                  },
                  "error": {
                    "type": ["object", "null"],
                    "required": ["code", "message"],
                    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
                    "description": "Why the last attempt failed."
                  },
                  "createdAt": {"type": "integer", "description": "Unix seconds, like every time here."},
                  "startedAt": {"type": ["integer", "null"], "description": "When the latest attempt began."},
                  "finishedAt": {"type": ["integer", "null"]},
                  "nextAttemptAt": {"type": ["integer", "null"]}
                }
              },

        """#
}
