-- The file says whose it is (core.schema): "TPWT".
PRAGMA application_id = 1414551380;
