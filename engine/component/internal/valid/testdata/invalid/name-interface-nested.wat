;; it needs what is not supported: nested package names
(component (import "a:b:c/d" (instance)))
