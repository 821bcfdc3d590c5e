module github.com/realm-mesh/realm/samples

go 1.26.0
