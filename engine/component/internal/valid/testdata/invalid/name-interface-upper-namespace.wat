;; "Wasi:http/types" is no name
(component (import "Wasi:http/types" (instance)))
