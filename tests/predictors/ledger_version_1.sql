BEGIN TRANSACTION;
CREATE TABLE recent (endpoint TEXT NOT NULL, model TEXT NOT NULL, time REAL NOT NULL, tokens INTEGER NOT NULL);
INSERT INTO "recent" VALUES('http://127.0.0.1/v1','m',1.7959868112098162174e+09,3);
INSERT INTO "recent" VALUES('http://127.0.0.1/v1','m',1.79598681121995282176e+09,3);
INSERT INTO "recent" VALUES('http://127.0.0.1/v1','m',1.79598681122340416912e+09,3);
INSERT INTO "recent" VALUES('http://127.0.0.1/v1','m',1.79598681122609758371e+09,3);
INSERT INTO "recent" VALUES('http://127.0.0.1/v1','m',1.79598681123352241521e+09,3);
CREATE TABLE requests (
        key TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        sent INTEGER NOT NULL DEFAULT 0,
        refused INTEGER NOT NULL DEFAULT 0,
        answer TEXT
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "requests" VALUES('18add4a44f59aa6c42b393572b4589a5565fcdc291821d38061c3e620dfee226','{"endpoint":"http://127.0.0.1/v1","messages":[{"content":"Given x = 1","role":"user"}],"model":"m","parameters":{"seed":7,"temperature":0.0},"sample":4}',1,0,NULL);
INSERT INTO "requests" VALUES('3d3ebb57ea9e418e0999a657225424224533a484ebefb9b8236e49439109b1b5','{"endpoint":"http://127.0.0.1/v1","messages":[{"content":"Given x = 1","role":"user"}],"model":"m","parameters":{"seed":7,"temperature":0.0},"sample":1}',1,0,'{"text": "", "error": "status 400"}');
INSERT INTO "requests" VALUES('71b0774edf8ab4b78a22ed8d9c49d1c913911fd3413df24874e1b6b8a1639069','{"endpoint":"http://127.0.0.1/v1","messages":[{"content":"Given x = 1","role":"user"}],"model":"m","parameters":{"seed":7,"temperature":0.0},"sample":3}',1,0,'{"text": "", "error": "refused: no"}');
INSERT INTO "requests" VALUES('7b63c9dd368e0b0ba0c3a7c96e7ef6fb54f830964e729acef712bdf715d45dd2','{"endpoint":"http://127.0.0.1/v1","messages":[{"content":"Given x = 1","role":"user"}],"model":"m","parameters":{"seed":7,"temperature":0.0},"sample":2}',1,0,'{"text": "", "finish_reason": "length"}');
INSERT INTO "requests" VALUES('88e9f9fb0771a380374adb2d8bf1aeff2cd85bc41d0287333f9c401083b95c0f','{"endpoint":"http://127.0.0.1/v1","messages":[{"content":"Given x = 1","role":"user"}],"model":"m","parameters":{"seed":7,"temperature":0.0},"sample":0}',1,0,'{"text": "<think>a</think>b", "finish_reason": "stop", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}');
COMMIT;
PRAGMA user_version = 1;
