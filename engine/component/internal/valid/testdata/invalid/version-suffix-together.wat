;; "1.x" is no version
(component (import "a:b/c@1" (versionsuffix ".x") (instance)))
