;; it implements "c", which is no name of an interface
(component (import "a" (implements "c") (instance)))
