module github.com/realm-mesh/realm/api

go 1.26.0
