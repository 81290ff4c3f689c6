package storetest

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The key of both servers, not a secret.
const (
	s3Key    = "weirtest"
	s3Secret = "weirtestsecret"
	s3Region = "us-east-1"
)

// Versitygw starts versitygw on a folder with extended attributes, which answers
// conditional writes as S3 documents them.
func Versitygw(tb testing.TB) Place {
	tb.Helper()
	program := binary(tb, "WEIR_VERSITYGW", "versitygw")
	root := tb.TempDir()
	return s3Place(tb, "s3-versitygw", serve(tb, "versitygw", func(ctx context.Context, port string) *exec.Cmd {
		return exec.CommandContext(ctx, program, "--port", "127.0.0.1:"+port, "--access", s3Key, "--secret", s3Secret,
			"--region", s3Region, "--max-connections", "8192", "--max-requests", "8192", "--keep-alive", "--quiet", "posix", root)
	}))
}

// Gofakes3 starts gofakes3 in memory. It ignores conditions on deletes and on
// uploads in parts.
func Gofakes3(tb testing.TB) Place {
	tb.Helper()
	program := binary(tb, "WEIR_GOFAKES3", "gofakes3")
	return s3Place(tb, "s3-gofakes3", serve(tb, "gofakes3", func(ctx context.Context, port string) *exec.Cmd {
		return exec.CommandContext(ctx, program, "-backend", "memory", "-host", "127.0.0.1:"+port, "-quiet")
	}))
}

func s3Place(tb testing.TB, name, address string) Place {
	tb.Helper()
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String("http://" + address), Region: s3Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s3Key, s3Secret, ""),
	})
	if _, err := client.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucketName)}); err != nil {
		tb.Fatalf("making a bucket: %v", err)
	}
	return Place{Name: name, URL: "s3://" + bucketName, Env: map[string]string{
		"AWS_ACCESS_KEY_ID": s3Key, "AWS_SECRET_ACCESS_KEY": s3Secret, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_REGION": s3Region, "AWS_ENDPOINT_URL_S3": "http://" + address,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	}}
}
