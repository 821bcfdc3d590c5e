;; "wasi:http" is no name
(component (import "wasi:http" (instance)))
