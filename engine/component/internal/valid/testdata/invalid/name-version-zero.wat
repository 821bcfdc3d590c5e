;; "01.0.0" is no version
(component (import "a:b/c@01.0.0" (instance)))
