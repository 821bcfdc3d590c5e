;; only a plain name can implement an interface
(component (import "a:b/c" (implements "a:b/d") (instance)))
