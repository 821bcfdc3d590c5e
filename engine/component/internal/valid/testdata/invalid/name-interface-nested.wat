;; "a:b:c/d" is no name
(component (import "a:b:c/d" (instance)))
